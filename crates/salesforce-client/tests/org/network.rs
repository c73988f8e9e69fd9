//! A proxy and root certificates from the settings, at work.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use salesforce_client::{Error, Network, Org, Settings};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

use crate::server::{Seen, Server, json, settings, token};

/// A proxy on loopback that remembers the heads of the requests it was sent.
struct Relay {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    async fn start() -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(relay(BufStream::new(stream), Arc::clone(&noted)));
            }
        });
        Relay { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic while it was held").clone()
    }
}

/// Opens a tunnel for CONNECT, hands on what is in absolute form.
async fn relay(mut client: BufStream<TcpStream>, heads: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        client.read_line(&mut head).await.ok().filter(|read| *read > 0)?;
    }
    heads.lock().expect("no panic while it was held").push(head.clone());
    if !head.to_ascii_lowercase().contains("proxy-authorization: basic ") {
        client.write_all(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n").await.ok()?;
        return client.flush().await.ok();
    }
    let target = head.split_whitespace().nth(1)?;
    let authority = target.trim_start_matches("http://").split('/').next()?;
    let mut server = TcpStream::connect(authority).await.ok()?;
    if head.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Go on\r\n\r\n").await.ok()?;
        client.flush().await.ok()?;
    } else {
        server.write_all(head.as_bytes()).await.ok()?;
    }
    copy_bidirectional(&mut client, &mut server).await.ok().map(drop)
}

/// A server behind TLS, by a certificate of an authority nobody knows: its URL and the authority in PEM.
async fn behind_tls(server: &Server) -> (String, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key pair")).expect("an authority");
    let key = KeyPair::generate().expect("a key pair");
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])
        .expect("a name")
        .signed_by(&key, &authority)
        .expect("a certificate");

    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("key and certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let inner = server.url().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let (acceptor, inner) = (acceptor.clone(), inner.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate hangs up.
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let mut inner = TcpStream::connect(inner).await.expect("the server");
                let _ = copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    (url, authority.pem())
}

/// Grants tokens for the address it was called at, whose scheme only the test knows.
async fn granting(scheme: &'static str) -> Server {
    Server::start(move |seen: Seen| async move { json(200, &token(&seen.origin().replace("http", scheme), "T1")) })
        .await
}

async fn sign_in(url: &str, network: Network) -> Result<(), Error> {
    Org::new(Settings { network, ..settings(url) })?.token().await.map(drop)
}

#[tokio::test]
async fn everything_goes_through_the_proxy() {
    let (server, relay) = (granting("http").await, Relay::start().await);
    let proxy = Some(format!("http://us%40er:pass@{}", relay.address).parse().unwrap());
    sign_in(server.url(), Network { proxy, ..Network::default() }).await.expect("a token");
    let [head] = &relay.heads()[..] else { panic!("one request") };
    assert!(head.starts_with(&format!("POST {}/services/oauth2/token HTTP/1.1\r\n", server.url())), "{head}");
    assert!(head.contains("c: dXNAZXI6cGFzcw==") || head.contains("Basic dXNAZXI6cGFzcw=="), "{head}");
}

#[tokio::test]
async fn tls_passes_through_the_proxy_as_a_tunnel() {
    let (server, relay) = (granting("https").await, Relay::start().await);
    let (url, authority) = behind_tls(&server).await;
    let proxy = Some(format!("http://user:pass@{}", relay.address).parse().unwrap());
    let root_certificates = vec![authority.parse().unwrap()];
    sign_in(&url, Network { proxy, root_certificates }).await.expect("a token");
    let [head] = &relay.heads()[..] else { panic!("one tunnel") };
    assert!(head.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", url.trim_start_matches("https://"))), "{head}");
}

#[tokio::test]
async fn a_root_certificate_is_trusted_once_it_is_given() {
    let server = granting("https").await;
    let (url, authority) = behind_tls(&server).await;

    let error = sign_in(&url, Network::default()).await.expect_err("nobody knows the authority");
    assert!(error.to_string().contains("add its root certificate"), "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(server.count("/"), 0);

    let stranger = include_str!("../fixtures/keys/rsa-certificate.pem");
    for (bundle, trusted) in
        [(stranger.to_owned(), false), (authority.clone(), true), (format!("{stranger}{authority}"), true)]
    {
        let root_certificates = vec![bundle.parse().unwrap()];
        let outcome = sign_in(&url, Network { root_certificates, ..Network::default() }).await;
        assert_eq!(outcome.is_ok(), trusted, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_and_one_that_is_not_there() {
    let (server, relay) = (granting("https").await, Relay::start().await);
    let (url, _) = behind_tls(&server).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, proxy, expect) in [
        (server.url(), format!("http://{}", relay.address), "USER:PASSWORD@HOST"),
        (&*url, format!("http://{}", relay.address), "USER:PASSWORD@HOST"),
        (&*url, format!("http://user:canary@{gone}"), "could not connect to 127.0.0.1"),
        (server.url(), format!("http://user:canary@{gone}"), "could not connect to 127.0.0.1"),
    ] {
        let proxy = Some(proxy.parse().unwrap());
        let error = sign_in(url, Network { proxy, ..Network::default() }).await.expect_err("no way out");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expect) && !shown.contains("canary"), "{shown}");
    }
    assert_eq!(server.count("/"), 0);
}
