//! From `tracing` events to lines. An event's fields include those of the spans around it.

use std::{error::Error, fmt, io::Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    fmt::MakeWriter,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

use super::{Format, chain, line::Line};

/// Writes each event as one line, by one call of the writer.
pub(super) struct Lines<W> {
    format: Format,
    output: W,
    now: fn() -> Timestamp,
}

impl<W> Lines<W> {
    pub(super) fn new(format: Format, output: W, now: fn() -> Timestamp) -> Self {
        Self { format, output, now }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            update(&span, |fields| attributes.record(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            update(&span, |fields| values.record(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.clone());
            }
        }
        event.record(&mut fields);

        let message = match fields.0.shift_remove("message") {
            Some(Value::String(message)) => message,
            Some(other) => other.to_string(),
            None => event.metadata().name().to_owned(),
        };
        let line = Line { ts: (self.now)(), level: *event.metadata().level(), message: &message, fields: &fields.0 };
        // A log that cannot be written cannot be reported either.
        let text = line.render(self.format);
        super::shared(|| _ = self.output.make_writer().write_all(text.as_bytes()));
    }
}

fn update<S: for<'a> LookupSpan<'a>>(span: &SpanRef<'_, S>, record: impl FnOnce(&mut Fields)) {
    let mut extensions = span.extensions_mut();
    if extensions.get_mut::<Fields>().is_none() {
        extensions.insert(Fields::default());
    }
    if let Some(fields) = extensions.get_mut() {
        record(fields);
    }
}

/// The fields of a span or an event, as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.set(field, chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}
