//! The certificates of a cluster, counted.

use super::CertificatesStatus;
use crate::ops::certificates::CertificateReport;
use crate::ops::error::OperationError;
use crate::ops::identity::ClusterRecord;
use crate::ops::session::Session;
use crate::pki::Verdict;

impl Session {
    /// Counts the certificates of the cluster of `record`.
    pub(super) async fn certificates(
        &self,
        record: Option<&ClusterRecord>,
    ) -> Result<Option<CertificatesStatus>, OperationError> {
        if record.is_none() {
            return Ok(None);
        }
        let report = self.check_certificates(None).await?;
        Ok(report.caveat.is_none().then(|| count(&report)))
    }
}

fn count(report: &CertificateReport) -> CertificatesStatus {
    let mut status = CertificatesStatus {
        count: report.certificates.len(),
        not_good: 0,
        unknown: 0,
        next_end: None,
        unseen_machines: report.unseen.len(),
    };
    for certificate in &report.certificates {
        match certificate.verdict {
            Verdict::Good => {}
            Verdict::Unknown { .. } => status.unknown += 1,
            _ => status.not_good += 1,
        }
    }
    status.next_end = report
        .certificates
        .iter()
        .filter_map(|certificate| certificate.expires)
        .min();
    status
}
