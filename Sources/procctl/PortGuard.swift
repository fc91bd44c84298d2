internal import ProcCtl

enum PortGuard {
  static func requireFree(_ ports: [UInt16]) throws(ProcessError) {}
  static func held(_ ports: [UInt16]) -> [String] { [] }
  static func holders(of port: UInt16, kernel: any Kernel) throws(ProcessError) -> [ProcessStatus] { [] }
}
