//! The way out: a proxy and root certificates, from the config and from the environment.

use serde_json::{Value, json};

use super::{
    house::{ACME, House, LOGIN, known_as},
    org::Org,
    program::{self, Run},
    way::WAYS,
};

async fn pull(config: &Value, environment: &[(&str, &str)]) -> Run {
    let arguments = ["pull", "--config", "-", "--stream", "Account", "--until-caught-up"];
    program::run_with(&arguments, config.to_string(), environment).await
}

/// An org behind the only proxy of a house, and a config that signs in to it.
async fn behind_a_proxy() -> (Org, House, Value) {
    let org = Org::start_with(1, &[("Account", 7)], known_as(ACME)).await;
    let house = House::of(&org).await;
    let config = house.config(&(WAYS[0].credentials)(org.emulator().credentials()));
    (org, house, config)
}

/// Signing in, REST and streaming all leave by the proxy: the hosts are reached no other way.
#[tokio::test(flavor = "multi_thread")]
async fn the_config_has_the_first_word() {
    let (org, house, config) = behind_a_proxy().await;
    let nowhere = [("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "*")];
    for environment in [&[][..], &nowhere] {
        let run = pull(&config, environment).await;
        assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 7), "{}", run.stderr);
    }
    let mut hosts = house.tunnels();
    hosts.sort_unstable();
    hosts.dedup();
    assert_eq!(hosts, [ACME, LOGIN].map(|host| format!("{host}:443")));
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_does_as_well() {
    let (org, house, config) = behind_a_proxy().await;
    let config = json!({ "credentials": config["credentials"] });
    let folder = tempfile::tempdir().expect("a folder");
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, house.authority()).expect("the folder can be written");
    let authority = authority.display().to_string();
    for proxy in ["HTTPS_PROXY", "ALL_PROXY"] {
        let run = pull(&config, &[(proxy, &house.proxy()), ("SSL_CERT_FILE", &authority)]).await;
        assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 7), "{proxy}: {}", run.stderr);
    }
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_way_out_is_told() {
    let (org, house, config) = behind_a_proxy().await;
    let mut stranger = config.clone();
    stranger["advanced"]["proxy"] = json!(house.proxy_without_password());
    let mut distrustful = config.clone();
    distrustful["advanced"]["root_certificates"] = json!("");
    let mut told = String::new();
    for config in [stranger, distrustful] {
        told += &format!("{}\n", pull(&config, &[]).await.last_words("a closed way out"));
    }
    insta::assert_snapshot!(told, @"
    signing in at login.salesforce.com failed: could not connect to login.salesforce.com: error sending request: client error (Connect): tunnel error: proxy authorization required; the proxy asks for a user name and password: put them into its URL, as http://USER:PASSWORD@HOST
    signing in at login.salesforce.com failed: could not connect to login.salesforce.com: error sending request: client error (Connect): invalid peer certificate: UnknownIssuer; a proxy or firewall that inspects TLS shows a certificate of its own: add its root certificate to the configuration
    ");
    org.shutdown().await;
}
