//! CometD, PushTopic and replay over a Salesforce org
