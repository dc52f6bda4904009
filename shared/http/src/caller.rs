use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRef, FromRequestParts};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tidings_domain::caller::{self, Role, Scope};

use crate::credential::{Credentials, Holder, Token};
use crate::error::ApiError;

/// Who is calling, having shown a credential that permits `P`. A handler that takes one cannot forget to ask.
pub struct Caller<P> {
    holder: Holder,
    permission: PhantomData<fn() -> P>,
}

/// What a handler may ask of its caller.
pub trait Permission: sealed::Sealed + Send + Sync + 'static {
    /// Whether the caller has it.
    fn granted(caller: &caller::Caller) -> bool;
}

/// The whole organization; an application's credential is not enough.
#[derive(Debug, Clone, Copy)]
pub enum Organization {}

/// The organization or one of its applications; the handler looks at the scope.
#[derive(Debug, Clone, Copy)]
pub enum AnyScope {}

/// The role `admin`, of the whole organization.
#[derive(Debug, Clone, Copy)]
pub enum Admin {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Organization {}
    impl Sealed for super::AnyScope {}
    impl Sealed for super::Admin {}
}

impl Permission for Organization {
    fn granted(caller: &caller::Caller) -> bool {
        caller.scope == Scope::Organization
    }
}

impl Permission for AnyScope {
    fn granted(_: &caller::Caller) -> bool {
        true
    }
}

impl Permission for Admin {
    fn granted(caller: &caller::Caller) -> bool {
        Organization::granted(caller) && caller.role == Role::Admin
    }
}

impl<P: Permission> Caller<P> {
    /// If the caller has the permission; 403 otherwise.
    pub fn permit(holder: Holder) -> Result<Self, ApiError> {
        if P::granted(&holder.caller) {
            Ok(Self { holder, permission: PhantomData })
        } else {
            Err(ApiError::insufficient_access())
        }
    }

    /// What the caller showed, if it can be taken back by its hash: an application's token.
    pub fn token(&self) -> Option<&Token> {
        self.holder.token.as_ref()
    }
}

impl<P> Deref for Caller<P> {
    type Target = caller::Caller;

    fn deref(&self) -> &caller::Caller {
        &self.holder.caller
    }
}

impl<P> fmt::Debug for Caller<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.holder.fmt(f)
    }
}

impl<S, P> FromRequestParts<S> for Caller<P>
where
    S: Send + Sync,
    P: Permission,
    Credentials: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let bearer = bearer(&parts.headers).ok_or_else(ApiError::authentication_failed)?;
        Self::permit(Credentials::from_ref(state).authenticate(bearer).await?)
    }
}

/// What follows `Bearer ` in the one `Authorization` header. With two of them it is not said which counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
