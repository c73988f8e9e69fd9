//! Shows the connectors at work on an emulated org
