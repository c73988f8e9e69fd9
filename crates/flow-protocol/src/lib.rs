//! The connector's side of the Estuary Flow protocol
