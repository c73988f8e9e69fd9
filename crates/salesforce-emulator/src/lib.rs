//! A local Salesforce org for development and tests
