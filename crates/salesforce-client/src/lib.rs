//! An org over HTTP: OAuth, REST, SOQL, describe, limits
