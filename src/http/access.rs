//! Who may do what (PROTOCOL 123-126; FAULTS 24, 25, 59).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::fault::Fault;
use crate::model::{Operation, OperationId};

/// What a principal may do; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Permission {
    /// `Operations.Read`: get, list, watch, count, and what describes the service.
    Read,
    /// `Operations.Report`: patch, start, cancel.
    Report,
    /// `Operations.Manage`: create, delete.
    Manage,
}

impl Permission {
    /// Its name, such as `Operations.Read`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Operations.Read",
            Self::Report => "Operations.Report",
            Self::Manage => "Operations.Manage",
        }
    }
}

/// What a request is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Describe the service: its document, `$metadata`, `OPTIONS`.
    Describe,
    /// Read one operation.
    Get,
    /// List operations.
    List,
    /// Count operations.
    Count,
    /// Follow one operation.
    Watch,
    /// Follow all operations.
    WatchAll,
    /// Create one.
    Create,
    /// Change one.
    Patch,
    /// Claim one.
    Start,
    /// Ask one to end.
    Cancel,
    /// Delete one.
    Delete,
}

impl Action {
    /// The least permission that allows it.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Patch | Self::Start | Self::Cancel => Permission::Report,
            Self::Create | Self::Delete => Permission::Manage,
            _ => Permission::Read,
        }
    }
}

/// What kind of account a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A person with a work or school account, through an application.
    Delegated,
    /// A person with a personal account: not supported, always 403.
    Personal,
    /// An application for itself.
    Application,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// Its name, for the host and the log.
    pub name: String,
    /// What kind of account it is.
    pub kind: Kind,
    /// The most that it may do; `None`: nothing.
    pub permission: Option<Permission>,
}

impl Principal {
    /// An application that may do so much.
    pub fn new(name: impl Into<String>, permission: impl Into<Option<Permission>>) -> Self {
        Self { name: name.into(), kind: Kind::Application, permission: permission.into() }
    }

    /// The same as an account of another kind.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

/// What the host says to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decision {
    /// It may.
    Allow,
    /// It may not: 403.
    Forbid,
    /// It may not know of the operation: 404.
    Hide,
}

/// A request as the host's hook sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a Method,
    /// All headers, the credentials among them.
    pub headers: &'a HeaderMap,
    /// The id in the address, if there is one.
    pub id: Option<&'a OperationId>,
}

/// The host's own access rules.
#[async_trait]
pub trait Authorize: Send + Sync + 'static {
    /// Who asks; `None`: nobody that is known, 401. By default tokens alone tell.
    async fn authenticate(&self, asked: Asked<'_>) -> Option<Principal> {
        let _ = asked;
        None
    }

    /// Whether a principal that has the permission may do this. On addresses of one operation with the
    /// record, otherwise once without one; asked again while a request waits.
    async fn authorize(
        &self,
        principal: &Principal,
        action: Action,
        asked: Asked<'_>,
        operation: Option<&Operation>,
    ) -> Decision;
}

/// Who may use a face: a decision that the host must take.
#[derive(Clone)]
pub struct Access(Arc<Rules>);

#[derive(Clone)]
struct Rules {
    realm: &'static str,
    open: bool,
    tokens: Vec<Token>,
    hook: Option<Arc<dyn Authorize>>,
}

#[derive(Clone)]
struct Token {
    digest: [u8; 32],
    principal: Principal,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rules { open, tokens, hook, .. } = &*self.0;
        let principals: Vec<_> = tokens.iter().map(|token| &token.principal).collect();
        f.debug_struct("Access")
            .field("open", open)
            .field("principals", &principals)
            .field("hook", &hook.is_some())
            .finish()
    }
}

impl Access {
    /// Everybody may do everything, without credentials.
    pub fn open() -> Self {
        Self(Arc::new(Rules { realm: "longrun", open: true, tokens: Vec::new(), hook: None }))
    }

    /// Nobody may do anything until [`token`](Self::token) says who may what.
    pub fn bearer() -> Self {
        Self(Arc::new(Rules { realm: "longrun", open: false, tokens: Vec::new(), hook: None }))
    }

    /// The host decides: who asks and what they may.
    pub fn hook(hook: impl Authorize) -> Self {
        Self::bearer().decided_by(hook)
    }

    /// `Authorization: Bearer TOKEN` is this principal. Of the token its SHA-256 is kept.
    pub fn token(mut self, token: impl AsRef<str>, principal: Principal) -> Self {
        let digest = Sha256::digest(token.as_ref()).into();
        Arc::make_mut(&mut self.0).tokens.push(Token { digest, principal });
        self
    }

    /// The host has a say in every action, beside the tokens.
    pub fn decided_by(mut self, hook: impl Authorize) -> Self {
        Arc::make_mut(&mut self.0).hook = Some(Arc::new(hook));
        self
    }

    /// For a route of the host's own beside the faces: who asks, if they may do this; otherwise the answer that
    /// refuses it, 401 or 403.
    pub async fn admit(
        &self,
        action: Action,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Principal, Box<Response>> {
        let asked = Asked { method, headers, id: None };
        let admitted = async {
            let principal = self.authenticate(asked).await?;
            Self::permit(&principal, action.permission())?;
            self.authorize(&principal, action, asked, None).await?;
            Ok(principal)
        };
        admitted.await.map_err(|fault: Fault| Box::new(fault.response()))
    }

    /// Who asks, or 401.
    pub(super) async fn authenticate(&self, asked: Asked<'_>) -> Result<Principal, Fault> {
        let rules = &*self.0;
        let credentials = asked.headers.get(AUTHORIZATION);
        if let Some(principal) = rules.bearer(asked.headers) {
            return Ok(principal);
        }
        if let Some(hook) = &rules.hook
            && let Some(principal) = hook.authenticate(asked).await
        {
            return Ok(principal);
        }
        if rules.open {
            return Ok(Principal::new("anonymous", Permission::Manage));
        }
        let realm = rules.realm;
        let (code, challenge) = match credentials {
            None => ("tokenRequired", format!("Bearer realm=\"{realm}\"")),
            Some(_) => ("invalidToken", format!("Bearer realm=\"{realm}\", error=\"invalid_token\"")),
        };
        let fault = Fault::new(StatusCode::UNAUTHORIZED, code, "a valid bearer token is required");
        Err(fault.header_text(WWW_AUTHENTICATE, &challenge))
    }

    /// 403 unless the principal has the permission.
    pub(super) fn permit(principal: &Principal, needed: Permission) -> Result<(), Fault> {
        if principal.kind != Kind::Personal && principal.permission >= Some(needed) {
            return Ok(());
        }
        Err(forbidden(&format!("{} is required", needed.as_str())))
    }

    /// Asks the host, if it wants to be asked.
    pub(super) async fn authorize(
        &self,
        principal: &Principal,
        action: Action,
        asked: Asked<'_>,
        operation: Option<&Operation>,
    ) -> Result<(), Fault> {
        let Some(hook) = &self.0.hook else { return Ok(()) };
        match hook.authorize(principal, action, asked, operation).await {
            Decision::Allow => Ok(()),
            Decision::Forbid => Err(forbidden("this principal may not do that")),
            Decision::Hide => Err(match asked.id {
                Some(id) => crate::error::Error::not_found(id).into(),
                None => Fault::not_found(),
            }),
        }
    }
}

fn forbidden(message: &str) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, "permissionRequired", message)
}

impl Rules {
    /// The principal of the one bearer token given. All tokens are compared, each in constant time.
    fn bearer(&self, headers: &HeaderMap) -> Option<Principal> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else { return None };
        let (scheme, token) = value.as_bytes().split_at_checked(6)?;
        let token = token.strip_prefix(b" ")?.trim_ascii();
        if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        let mut found = u32::MAX;
        for (at, token) in (0_u32..).zip(&self.tokens) {
            let same: Choice = token.digest.ct_eq(&digest);
            found.conditional_assign(&at, same);
        }
        self.tokens.get(usize::try_from(found).ok()?).map(|token| token.principal.clone())
    }
}
