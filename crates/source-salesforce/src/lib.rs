//! Capture connector for Salesforce
