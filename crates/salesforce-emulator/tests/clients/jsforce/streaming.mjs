// PushTopics by jsforce, whose CometD client is Faye's.
import { emulator, library, org, tell } from '../transcript.mjs';

const { default: jsforce } = await library('jsforce');
const { StreamingExtension } = (await library('jsforce/lib/api/streaming.js')).default;
const { login_url: loginUrl, client_id: clientId, client_secret: clientSecret } = org;
const conn = new jsforce.Connection({
  oauth2: { loginUrl, clientId, clientSecret }, instanceUrl: org.url, refreshToken: org.refresh_token, version: '62.0',
});
const Lead = conn.sobject('Lead');

// Events in the order in which they come, to be awaited one by one.
function queue() {
  const [events, waiting] = [[], []];
  const put = (event) => (waiting.length ? waiting.shift()(event) : events.push(event));
  const next = () => (events.length ? Promise.resolve(events.shift()) : new Promise((resolve) => waiting.push(resolve)));
  return { put, next };
}
const brief = ({ event, sobject }) => `${event.type} ${sobject.Name ?? sobject.Id}`;

await tell(() => conn.sobject('PushTopic').create({ Name: 'Leads', Query: 'SELECT Id, Name, Company FROM Lead', ApiVersion: 62.0, NotifyForFields: 'All' }));

// The client that a connection brings along.
const plain = queue();
const subscription = conn.streaming.topic('Leads').subscribe(plain.put);
await tell(() => subscription.then(() => 'subscribed'));
const { id } = await Lead.create({ LastName: 'One', Company: 'C' });
await tell(() => plain.next());
await Lead.update({ Id: id, LastName: 'Uno' });
await tell(() => plain.next().then(brief));
await Lead.delete(id);
await tell(() => plain.next().then(brief));
await tell(async () => await conn.streaming.subscribe('Absent', () => {}));
await tell(() => subscription.cancel());
await tell(() => conn.streaming._fayeClients.pushTopic.disconnect());

// Replay: everything kept, then after an event.
const { Replay, AuthFailure } = StreamingExtension;
const replay = async (from, ...extensions) => {
  const events = queue();
  const client = conn.streaming.createClient([new Replay('/topic/Leads', from), ...extensions]);
  await client.subscribe('/topic/Leads', events.put);
  return { client, next: events.next };
};
const all = await replay(-2);
const kept = [await all.next(), await all.next(), await all.next()];
await tell(() => kept.map(brief));
await tell(() => all.client.disconnect());
const later = await replay(kept[1].event.replayId);
await tell(() => later.next().then(brief));

// A server that has forgotten the client: Faye shakes hands again, and the extension asks for what came after the last event.
await emulator('streaming', { forget: {} });
await Lead.create({ LastName: 'Two', Company: 'C' });
await tell(() => later.next().then(brief));
await tell(() => later.client.disconnect());
await tell(() => replay(1));

// A session that ends.
const failures = queue();
await replay(-1, new AuthFailure(failures.put));
await emulator('sessions/expire');
await tell(() => failures.next().then(({ channel, error, advice }) => ({ channel, error, advice })));
process.exit(0);
