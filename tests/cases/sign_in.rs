//! Every way to sign in: it captures, it renews its session, and where it fails it says what to change in Salesforce.

use futures::StreamExt as _;
use salesforce_emulator::org::{Approval, LoginHours, Network, Policies, UserStatus};
use serde_json::{Value, json};

use super::{
    house::{ACME, House, LOGIN, TEST, UAT, known_as},
    org::Org,
    program::{self, Run},
    side_by_side::side_by_side,
    task::Task,
    way::{WAYS, Way},
};

/// Characters that forms, headers, URLs and XML each would have to escape.
const AWKWARD_PASSWORD: &str = r#"p<a>s&s'w"o]]>r%20d+=é "#;

/// The key of an app that no emulated org has.
const ANOTHER_KEY: &str = include_str!("../../crates/source-salesforce/tests/fixtures/key.pem");

async fn validate(config: &Value) -> Run {
    program::run(&["validate", "--config", "-", "--stream", "Account"], config.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_captures_and_renews_its_session() {
    let mut ends = side_by_side(&WAYS, WAYS.len(), capture);
    while let Some((way, end)) = ends.next().await {
        end.unwrap_or_else(|_| panic!("{}: no good end", way.name));
    }
}

async fn capture(way: &Way) {
    let org = Org::start_with(1, &[("Account", 30)], known_as(ACME)).await;
    org.emulator().org().set_password(AWKWARD_PASSWORD);
    let mut known = org.emulator().credentials().clone();
    known.password = AWKWARD_PASSWORD.to_owned();
    let house = House::of(&org).await;
    let config = house.config(&(way.credentials)(&known));

    let validated = validate(&config).await;
    assert_eq!(validated.code, Some(0), "{}: {}", way.name, validated.stderr);
    let mut task = Task::prepare_as("acmeCo/salesforce", config, &["Account"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    running.agree(&org).await;
    for seed in 1..3 {
        assert!(org.emulator().org().expire_sessions() > 0, "{}: it has a session", way.name);
        org.change(&["Account"], 20, seed).await;
        running.agree(&org).await;
    }
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);

    // Who signs in by what is about to end is told when, once.
    for log in [log, validated.stderr] {
        assert_eq!(log.matches(" 2027").count(), usize::from(way.ends), "{}: {log}", way.name);
    }
    org.shutdown().await;
}

/// Something that keeps a program out.
struct Trouble {
    what: &'static str,
    /// What an administrator has done.
    org: fn(&mut Policies),
    /// What the user has written.
    config: fn(&mut Value),
}

impl Trouble {
    const fn org(what: &'static str, org: fn(&mut Policies)) -> Self {
        Self { what, org, config: |_| () }
    }

    const fn config(what: &'static str, config: fn(&mut Value)) -> Self {
        Self { what, org: |_| (), config }
    }
}

/// The first leaves everything as it should be; the last uses up refresh tokens.
const TROUBLES: [Trouble; 18] = [
    Trouble::org("nothing", |_| ()),
    Trouble::org("the app lacks the scope api", |it| it.app.scopes.retain(|scope| scope != "api")),
    Trouble::org("the app is blocked", |it| it.app.blocked = true),
    Trouble::org("the user has not approved the app", |it| it.app.approval = Approval::MissingFromUser),
    Trouble::org("the app admits other users only", |it| it.app.approval = Approval::MissingFromAdmin),
    Trouble::org("the app has no user to run as", |it| it.app.run_as = false),
    Trouble::org("the username-password flow is off", |it| it.org.password_grant = false),
    Trouble::org("SOAP login() is off", |it| it.org.soap_login = false),
    Trouble::org("the user is frozen", |it| it.user.status = UserStatus::Frozen),
    Trouble::org("the user is locked out", |it| it.user.status = UserStatus::LockedOut),
    Trouble::org("the user may not use the API", |it| it.user.api_enabled = false),
    Trouble::org("the address is outside the user's ranges", |it| it.user.network = Network::Restricted),
    Trouble::org("it is outside the user's hours", |it| it.user.login_hours = Some(LoginHours { from: 0, until: 0 })),
    Trouble::org("My Domain alone signs in", |it| it.org.login_host = false),
    Trouble::org("the org is locked", |it| it.org.active = false),
    Trouble::config("a production org, configured as a sandbox", |config| {
        config["is_sandbox"] = json!(true);
        config.as_object_mut().expect("a config").remove("my_domain");
    }),
    Trouble::config("another org's My Domain", |config| config["my_domain"] = json!(UAT)),
    Trouble::org("the app rotates refresh tokens", |it| it.app.rotate_refresh_tokens = true),
];

/// Forms of writing the same fail alike.
const DISTINCT: [&str; 5] = [
    "refresh token",
    "client credentials",
    "JWT bearer",
    "user name and password, with an app",
    "user name and password, without an app",
];

/// What is found out about a way.
struct Table {
    way: &'static str,
    /// What keeps it out, each with the last words.
    lines: String,
    /// What does not.
    unimpressed: Vec<&'static str>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_program_out_names_its_cure() {
    let production = Org::start_with(1, &[], known_as(ACME)).await;
    let sandbox = sandbox().await;
    let hosts = [
        (LOGIN, production.login_host()),
        (ACME, production.host()),
        (TEST, sandbox.login_host()),
        (UAT, sandbox.host()),
    ];
    let house = House::start(&hosts).await;
    let known = production.emulator().credentials();
    let distinct = || WAYS.iter().filter(|way| DISTINCT.contains(&way.name));
    let table = |way: &Way| Table { way: way.name, lines: String::new(), unimpressed: Vec::new() };
    let mut tables: Vec<_> = distinct().map(table).collect();

    for Trouble { what, org, config } in &TROUBLES {
        production.emulator().org().change_policies(|policies| {
            *policies = Policies::default();
            org(policies);
        });
        let configs = distinct().map(|way| {
            let mut written = house.config(&(way.credentials)(known));
            config(&mut written);
            written
        });
        for (Table { lines, unimpressed, .. }, outcome) in
            tables.iter_mut().zip(outcomes(what, configs.collect()).await)
        {
            match outcome {
                Ok(()) => unimpressed.push(what),
                Err(last_words) => *lines += &format!("  {what}:\n    {last_words}\n"),
            }
        }
    }
    let table =
        |table: Table| format!("{}:\n{}  no matter: {}\n", table.way, table.lines, table.unimpressed.join("; "));
    insta::assert_snapshot!(tables.into_iter().map(table).collect::<Vec<_>>().join("\n"));
    production.shutdown().await;
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_by_what_it_is() {
    let production = Org::start_with(1, &[], known_as(ACME)).await;
    let house = House::of(&production).await;
    let mut table = String::new();
    for way in WAYS.iter().filter(|way| !way.name.ends_with("title")) {
        let right = (way.credentials)(production.emulator().credentials());
        let keys: Vec<&String> = right.as_object().expect("credentials").keys().collect();
        let mut attempts = Vec::new();
        for key in keys {
            let mut wrong = right.clone();
            wrong[key] = match (key.as_str(), right["passphrase"].is_null()) {
                ("private_key", true) => json!(ANOTHER_KEY),
                // A file that is broken fails before anybody is asked.
                ("private_key", false) => json!(&right[key].as_str().unwrap_or_default()[..1_000]),
                ("username", _) => json!("nobody@acme.example"),
                _ => json!("wrong"),
            };
            attempts.push((format!("another {key}"), house.config(&wrong)));
            if key == "security_token" {
                wrong[key] = json!("");
                attempts.push((format!("no {key}"), house.config(&wrong)));
            }
        }
        table += &format!("{}:\n", way.name);
        let (whats, configs): (Vec<_>, Vec<_>) = attempts.into_iter().unzip();
        for (what, outcome) in whats.iter().zip(outcomes(way.name, configs).await) {
            table += &format!("  {what}:\n    {}\n", outcome.expect_err(what));
        }
    }
    insta::assert_snapshot!(table);
    production.shutdown().await;
}

/// An assertion names the login host it is for, and a sandbox's My Domain given as a login URL does not tell which.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_for_another_kind_of_org_is_told() {
    let sandbox = sandbox().await;
    let house = House::start(&[(TEST, sandbox.login_host()), (UAT, sandbox.host())]).await;
    let jwt = WAYS.iter().find(|way| way.name == "JWT bearer").expect("it is one of them");
    let config = |change: fn(&mut Value)| {
        let mut config = house.config(&(jwt.credentials)(sandbox.emulator().credentials()));
        change(&mut config);
        config
    };
    let configs = vec![
        config(|it| it["advanced"]["login_url"] = json!(format!("https://{UAT}"))),
        config(|it| it["my_domain"] = json!(UAT)),
        config(|it| it["is_sandbox"] = json!(true)),
    ];
    let outcomes = outcomes("a sandbox", configs).await;
    let [Err(last_words), Ok(()), Ok(())] = &outcomes[..] else { panic!("{outcomes:?}") };
    insta::assert_snapshot!(last_words);
    sandbox.shutdown().await;
}

/// A sandbox: another org, at another login host.
async fn sandbox() -> Org {
    Org::start_with(2, &[], salesforce_emulator::Settings { sandbox: true, ..known_as(UAT) }).await
}

/// What comes of validating each of these configs, at the same time: nothing, or the last words.
async fn outcomes(what: &str, configs: Vec<Value>) -> Vec<Result<(), String>> {
    let runs: Vec<_> = configs.into_iter().map(|config| tokio::spawn(async move { validate(&config).await })).collect();
    let mut outcomes = Vec::new();
    for run in runs {
        let run = run.await.expect("it ends");
        outcomes.push(if run.code == Some(0) { Ok(()) } else { Err(run.last_words(what)) });
    }
    outcomes
}
