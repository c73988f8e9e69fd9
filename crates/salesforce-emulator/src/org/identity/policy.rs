//! What the org's administrator allows, and the judgement over an attempt to sign in. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::denied::Denied;

/// Everything an administrator can change about signing in, while the org runs. As the org starts, everything a
/// client needs is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies {
    /// The org.
    pub org: OrgPolicy,
    /// The connected app.
    pub app: AppPolicy,
    /// The org's first user.
    pub user: UserPolicy,
}

/// Settings of the org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgPolicy {
    /// Not locked and not expired.
    pub active: bool,
    /// The edition has the API.
    pub api: bool,
    /// My Domain's policy lets users sign in at the login host as well.
    pub login_host: bool,
    /// "Allow OAuth Username-Password Flows", off in newer orgs.
    pub password_grant: bool,
    /// SOAP `login()`, off in newer orgs.
    pub soap_login: bool,
    /// How often a user may sign in within an hour of virtual time; `None` is as often as they like.
    pub logins_per_hour: Option<u64>,
}

/// Settings of the connected app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppPolicy {
    /// Blocked on the page of connected apps. Blocking ends the app's sessions.
    pub blocked: bool,
    /// Scopes the app may be given. A session keeps those it was opened with.
    pub scopes: Vec<String>,
    /// Whether the user may use the app.
    pub approval: Approval,
    /// The client-credentials flow has a user to run as.
    pub run_as: bool,
    /// Username of that user; `None` is the first.
    pub run_as_user: Option<String>,
    /// Username of who is signed in to the browser when the web-server flow asks; `None` is the first user. A `login_hint`
    /// comes before it.
    pub signed_in: Option<String>,
    /// Replace the refresh token at every use; presenting a replaced one revokes its descendants.
    pub rotate_refresh_tokens: bool,
    /// Refreshes and code exchanges need the client secret.
    pub require_secret: bool,
    /// Callback URLs; an empty list accepts any.
    pub redirect_uris: Vec<String>,
    /// The user says yes when the web-server flow asks.
    pub consent: bool,
}

/// Whether the user may use the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// They have approved it, or an administrator has for them.
    Given,
    /// Users approve the app themselves, and this one has not: the JWT bearer grant, which cannot ask, fails.
    MissingFromUser,
    /// Only users an administrator approved may use the app, and this one is not among them: every grant fails.
    MissingFromAdmin,
}

/// Settings of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPolicy {
    /// Anything but `active` and `locked_out` ends the user's sessions.
    pub status: UserStatus,
    /// Whether the user keeps the "API Enabled" permission that their profile or a permission set gives them.
    pub api_enabled: bool,
    /// Where requests come from, as the org sees it.
    pub network: Network,
    /// When the user may sign in; `None` is at any time.
    pub login_hours: Option<LoginHours>,
}

/// What the administrator did with the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// Nothing.
    Active,
    /// Frozen: cannot sign in for now.
    Frozen,
    /// Deactivated.
    Inactive,
    /// Too many wrong passwords; tokens go on working.
    LockedOut,
}

/// What the org thinks of the address a client calls from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// In a trusted range: passwords need no security token.
    Trusted,
    /// Anywhere.
    Unknown,
    /// Outside the ranges of the user's profile.
    Restricted,
}

/// Hours of every day in UTC: from the beginning of one to the beginning of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginHours {
    /// 0 to 23.
    pub from: i8,
    /// 1 to 24; less than `from` goes past midnight.
    pub until: i8,
}

impl Default for OrgPolicy {
    fn default() -> Self {
        Self {
            active: true,
            api: true,
            login_host: true,
            password_grant: true,
            soap_login: true,
            logins_per_hour: Some(3600),
        }
    }
}

impl Default for AppPolicy {
    fn default() -> Self {
        Self {
            blocked: false,
            scopes: ["refresh_token", "api", "web"].map(str::to_owned).to_vec(),
            approval: Approval::Given,
            run_as: true,
            run_as_user: None,
            signed_in: None,
            rotate_refresh_tokens: false,
            require_secret: true,
            redirect_uris: Vec::new(),
            consent: true,
        }
    }
}

impl Default for UserPolicy {
    fn default() -> Self {
        Self { status: UserStatus::Active, api_enabled: true, network: Network::Unknown, login_hours: None }
    }
}

impl LoginHours {
    fn contain(self, now: Timestamp) -> bool {
        let hour = now.to_zoned(TimeZone::UTC).hour();
        if self.from <= self.until {
            (self.from..self.until).contains(&hour)
        } else {
            hour >= self.from || hour < self.until
        }
    }
}

/// Which of the org's two addresses was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Face {
    /// The org's own.
    #[default]
    MyDomain,
    /// The one all orgs share: `login.salesforce.com`, or `test.salesforce.com` for sandboxes.
    LoginHost,
}

/// How somebody tries to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    RefreshToken,
    Code,
    Password(Proof),
    ClientCredentials,
    Jwt,
    SoapLogin(Proof),
}

/// What a password was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    PasswordAndToken,
    PasswordAlone,
    Wrong,
}

/// An attempt to sign in, its secrets checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) way: Way,
    pub(crate) face: Face,
    pub(crate) at: Timestamp,
    /// Sign-ins of the same hour.
    pub(crate) recent: u64,
}

/// May they come in? The first rule that is broken decides. An API that is switched off keeps nobody but SOAP out:
/// OAuth gives a session, and REST refuses it.
pub(crate) fn judge(policies: &Policies, attempt: &Attempt) -> Result<(), Denied> {
    let Policies { org, app, user } = policies;
    let Attempt { way, face, at, recent } = *attempt;
    let soap = matches!(way, Way::SoapLogin(_));
    let proof = match way {
        Way::Password(proof) | Way::SoapLogin(proof) => Some(proof),
        _ => None,
    };
    let at_login_host = face == Face::LoginHost;
    let rules = [
        (!org.active, Denied::OrgInactive),
        (!soap && app.blocked, Denied::AppBlocked),
        (at_login_host && way == Way::ClientCredentials, Denied::WrongDomain),
        (at_login_host && !org.login_host, Denied::LoginHostClosed),
        (soap && !org.soap_login, Denied::SoapLoginOff),
        (matches!(way, Way::Password(_)) && !org.password_grant, Denied::PasswordGrantOff),
        (way == Way::ClientCredentials && !app.run_as, Denied::NoRunAs),
        (proof.is_some() && user.status == UserStatus::LockedOut, Denied::UserLockedOut),
        (proof == Some(Proof::Wrong), Denied::WrongPassword),
        (matches!(user.status, UserStatus::Frozen | UserStatus::Inactive), Denied::UserInactive),
        (user.network == Network::Restricted, Denied::IpRestricted),
        (user.login_hours.is_some_and(|hours| !hours.contain(at)), Denied::OutsideLoginHours),
        (proof == Some(Proof::PasswordAlone) && user.network != Network::Trusted, Denied::NoSecurityToken),
        (!soap && app.approval == Approval::MissingFromAdmin, Denied::NotApprovedByAdmin),
        (way == Way::Jwt && app.approval == Approval::MissingFromUser, Denied::NotApprovedByUser),
        (soap && !org.api, Denied::ApiOffForOrg),
        (soap && !user.api_enabled, Denied::ApiOffForUser),
        (org.logins_per_hour.is_some_and(|most| recent >= most), Denied::TooManyLogins),
    ];
    match rules.into_iter().find(|(broken, _)| *broken) {
        Some((_, denied)) => Err(denied),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const WAYS: [Way; 6] = [
        Way::RefreshToken,
        Way::Code,
        Way::Password(Proof::PasswordAndToken),
        Way::ClientCredentials,
        Way::Jwt,
        Way::SoapLogin(Proof::PasswordAndToken),
    ];

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn attempt(way: Way, face: Face) -> Attempt {
        Attempt { way, face, at: at(12), recent: 0 }
    }

    /// One change at a time, every way in: what the token endpoint or SOAP then says.
    #[test]
    fn table() {
        type Change = fn(&mut Policies);
        let changes: [(&str, Change); 17] = [
            ("as it starts", |_| {}),
            ("org locked", |it| it.org.active = false),
            ("login host closed", |it| it.org.login_host = false),
            ("password grant off", |it| it.org.password_grant = false),
            ("SOAP login off", |it| it.org.soap_login = false),
            ("no API in the edition", |it| it.org.api = false),
            ("no logins left", |it| it.org.logins_per_hour = Some(0)),
            ("app blocked", |it| it.app.blocked = true),
            ("not approved by the user", |it| it.app.approval = Approval::MissingFromUser),
            ("not approved by an admin", |it| it.app.approval = Approval::MissingFromAdmin),
            ("no user to run as", |it| it.app.run_as = false),
            ("user frozen", |it| it.user.status = UserStatus::Frozen),
            ("user inactive", |it| it.user.status = UserStatus::Inactive),
            ("user locked out", |it| it.user.status = UserStatus::LockedOut),
            ("no API Enabled", |it| it.user.api_enabled = false),
            ("IP restricted", |it| it.user.network = Network::Restricted),
            ("outside login hours", |it| it.user.login_hours = Some(LoginHours { from: 8, until: 12 })),
        ];
        let mut table = String::new();
        for (name, change) in changes {
            writeln!(table, "{name}").unwrap();
            let mut policies = Policies::default();
            change(&mut policies);
            for (way, face) in WAYS.iter().flat_map(|way| [(*way, Face::MyDomain), (*way, Face::LoginHost)]) {
                if let Err(denied) = judge(&policies, &attempt(way, face)) {
                    let (code, text) = if matches!(way, Way::SoapLogin(_)) { denied.soap() } else { denied.oauth() };
                    writeln!(table, "  {way:?} at {face:?}: {code}: {text}").unwrap();
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn passwords_and_security_tokens() {
        let rows = [
            (Proof::PasswordAndToken, Network::Unknown, Ok(())),
            (Proof::PasswordAndToken, Network::Trusted, Ok(())),
            (Proof::PasswordAlone, Network::Unknown, Err(Denied::NoSecurityToken)),
            (Proof::PasswordAlone, Network::Trusted, Ok(())),
            (Proof::Wrong, Network::Trusted, Err(Denied::WrongPassword)),
        ];
        for (proof, network, expected) in rows {
            let mut policies = Policies::default();
            policies.user.network = network;
            for way in [Way::Password(proof), Way::SoapLogin(proof)] {
                assert_eq!(judge(&policies, &attempt(way, Face::MyDomain)), expected, "{way:?} from {network:?}");
            }
        }
    }

    #[test]
    fn hours() {
        let day = LoginHours { from: 8, until: 18 };
        let night = LoginHours { from: 22, until: 6 };
        let inside = |hours: LoginHours| (0..24).filter(|hour| hours.contain(at(*hour))).collect::<Vec<_>>();
        assert_eq!(inside(day), (8..18).collect::<Vec<_>>());
        assert_eq!(inside(night), [0, 1, 2, 3, 4, 5, 22, 23]);
        assert_eq!(inside(LoginHours { from: 0, until: 24 }).len(), 24);
    }
}
