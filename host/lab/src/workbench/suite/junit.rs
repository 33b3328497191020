//! A report in the form that build servers read.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::{CaseResult, CaseVerdict, Failure, SuiteReport};

/// The report as JUnit XML, under the policy's name. `shown` is what a failure looks like to a
/// person.
///
/// # Errors
/// When it cannot be written as XML.
pub fn junit(
    report: &SuiteReport,
    policy: &str,
    shown: impl Fn(&Failure) -> String,
) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(policy);
    suite.set_time(report.took);
    for ended in &report.ended {
        suite.add_test_case(test_case(ended, policy, &shown));
    }
    let mut junit = quick_junit::Report::new(XmlString::new("wastegate policy test"));
    junit.set_time(report.took);
    junit.add_test_suite(suite);
    junit.to_string()
}

fn test_case(ended: &CaseResult, policy: &str, shown: impl Fn(&Failure) -> String) -> TestCase {
    let status = match &ended.verdict {
        CaseVerdict::Passed { .. } => TestCaseStatus::success(),
        CaseVerdict::Failed(failure) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let unmet = failure.unmet.iter();
            let reported: Vec<String> = unmet
                .map(|each| each.describe(&failure.case.snapshot))
                .collect();
            let names: Vec<&str> = failure.unmet.iter().map(|each| each.name()).collect();
            status.set_message(reported.join("; "));
            status.set_type(names.join(","));
            status.set_description(shown(failure));
            status
        }
        CaseVerdict::Unusable(why) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(why);
            status
        }
    };
    let mut case = TestCase::new(&*ended.name, status);
    case.set_classname(policy);
    let duration = match &ended.verdict {
        CaseVerdict::Passed { duration, .. } => Some(*duration),
        CaseVerdict::Failed(failure) => Some(failure.asked.answer.duration),
        CaseVerdict::Unusable(_) => None,
    };
    if let Some(duration) = duration {
        case.set_time(duration);
    }
    case
}
