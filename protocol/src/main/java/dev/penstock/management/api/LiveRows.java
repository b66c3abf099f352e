package dev.penstock.management.api;

import dev.penstock.live.EventLog;
import dev.penstock.live.LiveLink;
import dev.penstock.live.LiveStream;
import dev.penstock.live.TunnelTotals;
import dev.penstock.management.api.Table.Row;

/// What a gateway's rows and an agent's have in common. Each method fills columns of a row and
/// returns it.
public final class LiveRows {
  private LiveRows() {}

  public static Row link(Row row, LiveLink link) {
    return row.set("state", link.state())
        .set("protocol", link.facts().protocol())
        .set("capabilities", link.facts().capabilities())
        .set("rtt_ms", link.rttNanos() == 0 ? null : Math.round(link.rttNanos() / 1e3) / 1e3)
        .set("open_streams", link.open())
        .set("loop", link.facts().loop())
        .set("since", link.since());
  }

  /// A TCP stream or a UDP session.
  ///
  /// @param protocol `tcp` or `udp`
  public static Row stream(Row row, LiveStream stream, String protocol) {
    return row.set("tunnel", stream.tunnel().name())
        .set("protocol", protocol)
        .set("client_address", stream.facts().client())
        .set("link_id", stream.facts().link())
        .set("state", stream.isOpen() ? "open" : "dialling")
        .set("opened_at", stream.openedAt())
        .set("bytes_in", stream.bytesIn())
        .set("bytes_out", stream.bytesOut())
        .set("rate_in", stream.rateIn())
        .set("rate_out", stream.rateOut());
  }

  public static Row totals(Row row, TunnelTotals totals) {
    return row.set("open_streams", totals.open())
        .set("bytes_in", totals.bytesIn())
        .set("bytes_out", totals.bytesOut())
        .set("rate_in", totals.rateIn())
        .set("rate_out", totals.rateOut())
        .set("opened", totals.openedCount())
        .set("last_opened_at", totals.lastOpenedAt() == 0 ? null : totals.lastOpenedAt());
  }

  /// Time and facts of an event or of an entry of the audit log.
  public static Row happened(Row row, EventLog.Event event) {
    row.set("time", event.time());
    event.facts().forEach(row::set);
    return row;
  }
}
