/** What the peer announced in its SETTINGS, with the defaults of RFC 9113 section 6.5.2. */
export class PeerSettings {
  maxConcurrentStreams = Infinity
  initialWindow = 65_535
  headerTable = 4096
  maxHeaderList = Infinity
  /** Whether extended CONNECT may be used (RFC 8441). */
  connectProtocol = false
}
