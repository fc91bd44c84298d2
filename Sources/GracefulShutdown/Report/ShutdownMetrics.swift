internal import CoreMetrics

/// What a shutdown tells swift-metrics. Made when it begins, for a factory may be bootstrapped until then.
struct ShutdownMetrics {
  private let factory: any MetricsFactory

  init(_ factory: (any MetricsFactory)?) {
    self.factory = factory ?? MetricsSystem.factory
  }

  func set(requests: Int, clients: Int) {
    Gauge(label: "shutdown_requests_in_flight", factory: self.factory).record(requests)
    Gauge(label: "shutdown_clients_connected", factory: self.factory).record(clients)
  }

  func record(_ record: ShutdownReport.PhaseRecord, _ failures: [ShutdownReport.Failure]) {
    let phase = [("phase", record.phase.name)]
    self.timer("shutdown_phase_duration", phase, record.duration)
    self.count("shutdown_completed_total", phase, record.completed)
    self.count("shutdown_failures_total", phase, failures.count)
  }

  func record(_ report: ShutdownReport) {
    self.timer("shutdown_duration", [], report.duration)
    self.count("shutdown_requests_refused_total", [], report.refusedRequests)
  }

  private func timer(_ label: String, _ dimensions: [(String, String)], _ duration: Duration) {
    CoreMetrics.Timer(label: label, dimensions: dimensions, factory: self.factory)
      .recordMicroseconds(duration.wholeMicroseconds)
  }

  private func count(_ label: String, _ dimensions: [(String, String)], _ number: Int) {
    Counter(label: label, dimensions: dimensions, factory: self.factory).increment(by: number)
  }
}
