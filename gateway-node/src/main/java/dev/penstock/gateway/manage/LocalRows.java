package dev.penstock.gateway.manage;

import dev.penstock.gateway.leases.Lease;
import dev.penstock.gateway.leases.Reservation;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.observe.Live;
import dev.penstock.gateway.sources.Bans;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.live.EventLog;
import dev.penstock.live.LiveStream;
import dev.penstock.live.TunnelTotals;
import dev.penstock.management.api.LiveRows;
import dev.penstock.management.api.Table;
import dev.penstock.management.api.Table.Row;
import dev.penstock.protocol.control.RegisteredTunnel;
import dev.penstock.protocol.control.TunnelRegistration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/// What one node has, as rows of the API's tables. Reads what others count; changes nothing.
final class LocalRows {
  private LocalRows() {}

  static List<Row> agents(Table table, String node, Live live) {
    return live.agents().stream()
        .map(agent ->
            table
                .row(agent.id())
                .set("node", node)
                .set("cluster", agent.cluster())
                .set("agent_id", agent.agentId())
                .set("name", agent.facts().name())
                .set("hostname", agent.facts().hostname())
                .set("version", agent.facts().version())
                .set("kind", agent.facts().kind())
                .set("remote_address", agent.facts().remote())
                .set("since", agent.since()))
        .toList();
  }

  static List<Row> links(Table table, String node, Live live) {
    return live.links().stream()
        .map(link ->
            LiveRows.link(
                table
                    .row(link.id())
                    .set("node", node)
                    .set("cluster", link.facts().cluster())
                    .set("agent_id", link.agent())
                    .set("remote_address", link.facts().remote()),
                link))
        .toList();
  }

  /// @param protocol `tcp` or `udp`
  static List<Row> streams(
      Table table, String node, Collection<LiveStream> streams, String protocol) {
    return streams.stream()
        .map(stream ->
            LiveRows.stream(
                table
                    .row(stream.id())
                    .set("node", node)
                    .set("tunnel_id", stream.tunnel().id())
                    .set("cluster", stream.tunnel().cluster())
                    .set("via", stream.facts().via()),
                stream,
                protocol))
        .toList();
  }

  static List<Row> events(Table table, String node, EventLog log) {
    return log.latest().stream()
        .map(event ->
            LiveRows.happened(
                table.row(event.id()).set("node", node).set("kind", event.kind()), event))
        .toList();
  }

  static List<Row> audit(Table table, String node, EventLog log) {
    return log.latest().stream()
        .map(entry -> LiveRows.happened(table.row(entry.id()).set("node", node), entry))
        .toList();
  }

  static List<Row> bans(Table table, Bans bans) {
    return bans.all().stream().map(ban -> ban(table, ban)).toList();
  }

  static Row ban(Table table, Bans.Ban ban) {
    return table
        .row(ban.id())
        .set("source", ban.source().toString())
        .set("reason", ban.reason())
        .set("by", ban.by())
        .set("created_at", ban.createdAt())
        .set("expires_at", ban.expiresAt());
  }

  /// Numbers of tunnels that had any, for other nodes; the columns are some of the tunnels'.
  static List<Row> totals(Table table, Live live) {
    return live.streams().tunnels().stream()
        .filter(totals -> totals.openedCount() > 0 || totals.refusedCount() > 0)
        .map(totals -> numbers(table.row(totals.id()), totals))
        .toList();
  }

  private static Row numbers(Row row, TunnelTotals totals) {
    return LiveRows.totals(row.set("refused", totals.refusedCount()), totals);
  }

  /// @param others what other nodes tell of a tunnel, by its id
  /// @param links of one cluster's agents, at all nodes
  static List<Row> tunnels(
      Table table,
      List<Tunnels.Seen> seen,
      Live live,
      String publicHost,
      Map<String, List<Row>> others,
      ToIntFunction<String> links) {
    var rows = new ArrayList<Row>(seen.size());
    var linksOf = new HashMap<String, Integer>();
    for (Tunnels.Seen tunnel : seen) {
      var identity = tunnel.tunnel().identity();
      var view = tunnel.view();
      TunnelRegistration registration = view.registration();
      TunnelTotals totals = live.streams().tunnel(identity.cluster(), identity.tunnelId());
      Row row =
          table
              .row(totals.id())
              .set("name", identity.tunnelId())
              .set("cluster", identity.cluster())
              .set("protocol", word(tunnel.tunnel().transport()))
              .set("public_host", publicHost)
              .set("public_port", view.port())
              .set("service_name", registration.serviceName())
              .set("service_namespace", registration.serviceNamespace())
              .set("service_port", registration.servicePort())
              .set("mode", word(registration.routingMode()))
              .set(
                  "state",
                  view.state() == RegisteredTunnel.State.LISTENING ? "listening" : "not_listening")
              .set(
                  "links",
                  linksOf.computeIfAbsent(identity.cluster(), cluster -> links.applyAsInt(cluster)))
              .set("fencing", view.fencing());
      numbers(row, totals);
      others.getOrDefault(totals.id(), List.of()).forEach(more -> add(row, more));
      rows.add(row);
    }
    return rows;
  }

  private static void add(Row row, Row more) {
    for (String column :
        List.of(
            "open_streams", "bytes_in", "bytes_out", "rate_in", "rate_out", "opened", "refused")) {
      row.set(column, row.number(column) + more.number(column));
    }
    if (more.number("last_opened_at") > row.number("last_opened_at")) {
      row.set("last_opened_at", more.number("last_opened_at"));
    }
  }

  static List<Row> leases(
      Table table, List<Tunnels.Seen> seen, Live live, List<Reservation> reservations) {
    var rows = new HashMap<String, Row>();
    for (Tunnels.Seen tunnel : seen) {
      Lease lease = tunnel.tunnel().lease();
      if (lease != null) {
        var identity = tunnel.tunnel().identity();
        String protocol = word(tunnel.tunnel().transport());
        String id = protocol + "-" + lease.port();
        rows.put(
            id,
            table
                .row(id)
                .set("protocol", protocol)
                .set("port", lease.port())
                .set("state", "held")
                .set("cluster", identity.cluster())
                .set(
                    "tunnel_id",
                    live.streams().tunnel(identity.cluster(), identity.tunnelId()).id())
                .set("tunnel", identity.tunnelId())
                .set("fencing", lease.fencing()));
      }
    }
    for (Reservation reservation : reservations) {
      String protocol = word(reservation.transport());
      String id = protocol + "-" + reservation.port();
      rows.computeIfAbsent(
              id,
              _ ->
                  table
                      .row(id)
                      .set("protocol", protocol)
                      .set("port", reservation.port())
                      .set("state", "reserved")
                      .set("cluster", reservation.cluster())
                      .set("fencing", 0L))
          .set("reserved_for", reservation.cluster());
    }
    return List.copyOf(rows.values());
  }

  /// As the API words a constant.
  static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /// The port that a lease's id names; null when it names none.
  static @Nullable Port port(String id) {
    int dash = id.indexOf('-');
    if (dash < 0) {
      return null;
    }
    try {
      Transport transport =
          switch (id.substring(0, dash)) {
            case "tcp" -> Transport.TCP;
            case "udp" -> Transport.UDP;
            default -> null;
          };
      int number = Integer.parseInt(id.substring(dash + 1));
      return transport == null || number < 1 || number > 65_535
          ? null
          : new Port(transport, number);
    } catch (NumberFormatException _) {
      return null;
    }
  }

  /// A public port.
  record Port(Transport transport, int number) {}
}
