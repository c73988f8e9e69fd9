//! A house whose only way out is a proxy that asks for a password and looks into what is encrypted. Behind it, Salesforce's
//! own host names lead to emulated orgs, so that a config can be what a user would write.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use salesforce_emulator::Settings;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

use super::org::Org;

/// The login host of production orgs.
pub(crate) const LOGIN: &str = "login.salesforce.com";
/// The login host of sandboxes.
pub(crate) const TEST: &str = "test.salesforce.com";
/// The My Domain of a production org.
pub(crate) const ACME: &str = "acme.my.salesforce.com";
/// The My Domain of a sandbox.
pub(crate) const UAT: &str = "acme--uat.sandbox.my.salesforce.com";

/// What the proxy lets in.
pub(crate) const USER: &str = "house";
/// Its password, which a URL has to encode.
pub(crate) const PASSWORD: &str = "let me/out+@&";
const PASSWORD_IN_A_URL: &str = "let%20me%2Fout%2B%40%26";

/// A house with its proxy. It is not torn down: the end of the test does that.
pub(crate) struct House {
    address: String,
    authority: String,
    tunnels: Arc<Mutex<Vec<String>>>,
}

/// What is needed to serve a connection.
struct Desk {
    acceptor: TlsAcceptor,
    /// Host names and where they lead.
    hosts: Vec<(String, String)>,
    tunnels: Arc<Mutex<Vec<String>>>,
}

impl House {
    /// A house in which each host name leads to this address of an emulated org.
    pub(crate) async fn start(hosts: &[(&str, &str)]) -> Self {
        let names = hosts.iter().map(|(name, _)| (*name).to_owned()).collect();
        let (acceptor, authority) = certified(names);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let tunnels: Arc<Mutex<Vec<String>>> = Arc::default();
        let hosts = hosts.iter().map(|(name, leads)| ((*name).to_owned(), (*leads).to_owned())).collect();
        let desk = Arc::new(Desk { acceptor, hosts, tunnels: Arc::clone(&tunnels) });
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let desk = Arc::clone(&desk);
                tokio::spawn(async move { desk.serve(BufStream::new(stream)).await });
            }
        });
        Self { address, authority, tunnels }
    }

    /// A house of one production org.
    pub(crate) async fn of(org: &Org) -> Self {
        Self::start(&[(LOGIN, org.login_host()), (ACME, org.host())]).await
    }

    /// The proxy's URL, with user name and password.
    pub(crate) fn proxy(&self) -> String {
        format!("http://{USER}:{PASSWORD_IN_A_URL}@{}", self.address)
    }

    /// The proxy's URL without them.
    pub(crate) fn proxy_without_password(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The certificate of the proxy's own authority, as PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// An endpoint config of this house. Client credentials need My Domain; the others get along without.
    pub(crate) fn config(&self, credentials: &Value) -> Value {
        let mut config = json!({
            "credentials": credentials,
            "advanced": {
                "proxy": self.proxy(),
                "root_certificates": self.authority,
                "coalescing_interval": "PT0.05S",
            },
        });
        if ["refresh_token", "username"].iter().all(|key| credentials[key].is_null()) {
            config["my_domain"] = json!(ACME);
        }
        config
    }

    /// Host and port of each tunnel that was asked for, in order.
    pub(crate) fn tunnels(&self) -> Vec<String> {
        self.tunnels.lock().expect("no panic while it was held").clone()
    }
}

/// Settings of an org whose token replies name this My Domain.
pub(crate) fn known_as(my_domain: &str) -> Settings {
    Settings { instance_url: Some(format!("https://{my_domain}")), ..Settings::default() }
}

impl Desk {
    /// Opens a tunnel if the password is right, and looks into it.
    async fn serve(&self, mut client: BufStream<TcpStream>) -> Option<()> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            client.read_line(&mut head).await.ok().filter(|read| *read > 0)?;
        }
        let authority = head.strip_prefix("CONNECT ")?.split_whitespace().next()?.to_owned();
        self.tunnels.lock().expect("no panic while it was held").push(authority.clone());
        let password = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let leads = self.hosts.iter().find(|(name, _)| authority == format!("{name}:443"));
        let answer = match leads {
            _ if !head.contains(&format!("Basic {password}")) => "407 Proxy Authentication Required",
            None => "502 Bad Gateway",
            Some(_) => "200 Connection established",
        };
        client.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).await.ok()?;
        client.flush().await.ok()?;
        let (_, address) = leads.filter(|_| answer.starts_with("200"))?;
        // A client that does not trust the certificate hangs up.
        let mut inside = self.acceptor.accept(client).await.ok()?;
        let mut org = TcpStream::connect(address).await.ok()?;
        copy_bidirectional(&mut inside, &mut org).await.ok().map(drop)
    }
}

/// What accepts TLS under these names, by a certificate of an authority nobody knows; the authority as PEM.
fn certified(names: Vec<String>) -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key pair")).expect("an authority");
    let key = KeyPair::generate().expect("a key pair");
    let certificate = CertificateParams::new(names).expect("names").signed_by(&key, &authority).expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("key and certificate");
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}
