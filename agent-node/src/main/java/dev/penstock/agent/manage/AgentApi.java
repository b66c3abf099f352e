package dev.penstock.agent.manage;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.observe.AgentMeters;
import dev.penstock.agent.observe.Live;
import dev.penstock.agent.serve.SeenTunnel;
import dev.penstock.live.LiveStream;
import dev.penstock.live.TunnelTotals;
import dev.penstock.management.access.Caller;
import dev.penstock.management.api.Action;
import dev.penstock.management.api.Api;
import dev.penstock.management.api.ApiMeters;
import dev.penstock.management.api.ApiProblem;
import dev.penstock.management.api.AuditLog;
import dev.penstock.management.api.Listing;
import dev.penstock.management.api.LiveRows;
import dev.penstock.management.api.Query;
import dev.penstock.management.api.Query.Page;
import dev.penstock.management.api.Table;
import dev.penstock.management.api.Table.Row;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorSystem;

/// The management API of an agent: what it has itself. Safe for use by several threads.
public final class AgentApi {
  private static final String DOCUMENT = "openapi.yaml";
  private static final Duration SAMPLE = Duration.ofSeconds(1);

  private static final Map<String, Count> REASONS =
      Map.of(
          "failed_by_reason", new Count("pipeops_agent_tcp_tunnel_errors", "error_type"),
          "ended_by_reason", new Count("penstock_agent_streams_ended", "reason"));

  private final Setup setup;
  private final Live live;
  private final AuditLog audit;
  private final Api api;

  /// A counter and its one label.
  private record Count(String metric, String label) {}

  /// What is told of and acted on.
  ///
  /// @param id of the agent
  /// @param cluster the identity that the gateway gave it; empty until it is registered
  /// @param notReady why this agent is not
  /// @param draining whether it drains
  /// @param tunnels what it exposes
  public record Setup(
      ActorSystem<?> system,
      String id,
      String version,
      Supplier<String> cluster,
      Supplier<List<String>> notReady,
      Supplier<Boolean> draining,
      AgentMeters meters,
      PrometheusRegistry registry,
      ApiMeters apiMeters,
      Supplier<CompletionStage<List<SeenTunnel>>> tunnels) {}

  /// Begins to answer; [#api] is to be given to the management port.
  public AgentApi(Setup setup) {
    this.setup = setup;
    this.live = setup.meters().live();
    this.audit = new AuditLog(live.prefix(), live.events());
    this.api =
        new Api(
            setup.system(),
            new Api.Content(
                () ->
                    Objects.requireNonNull(AgentApi.class.getResourceAsStream(DOCUMENT), DOCUMENT),
                lists(),
                Map.of("status", this::status, "summary", _ -> summary()),
                actions()),
            audit,
            setup.apiMeters());
    setup
        .system()
        .scheduler()
        .scheduleWithFixedDelay(
            SAMPLE,
            SAMPLE,
            () -> live.streams().sample(System.nanoTime()),
            setup.system().executionContext());
    live.events().add("node_started", Map.of("detail", setup.version()));
  }

  /// What serves it.
  public Api api() {
    return api;
  }

  private static <T> CompletionStage<T> now(T value) {
    return CompletableFuture.completedFuture(value);
  }

  // --- lists ---

  private Map<String, Function<Table, Listing>> lists() {
    var lists = new HashMap<String, Function<Table, Listing>>();
    lists.put("links", table -> Listing.of(() -> links(table)));
    lists.put("tunnels", this::tunnels);
    lists.put(
        "streams", table -> Listing.of(() -> streams(table, live.streams().streams(), "tcp")));
    lists.put(
        "sessions", table -> Listing.of(() -> streams(table, live.streams().sessions(), "udp")));
    lists.put("events", table -> Listing.of(() -> events(table)));
    lists.put("audit", table -> Listing.of(() -> audit(table)));
    return lists;
  }

  private List<Row> links(Table table) {
    return live.links().stream()
        .map(link ->
            LiveRows.link(
                table
                    .row(link.id())
                    .set("gateway", link.facts().remote())
                    .set(
                        "gateway_node",
                        link.facts().cluster().isEmpty() ? null : link.facts().cluster()),
                link))
        .toList();
  }

  private static List<Row> streams(Table table, Collection<LiveStream> streams, String protocol) {
    return streams.stream()
        .map(stream ->
            LiveRows.stream(
                table.row(stream.id()).set("backend", stream.backend()), stream, protocol))
        .toList();
  }

  private List<Row> events(Table table) {
    return live.events().latest().stream()
        .map(event -> LiveRows.happened(table.row(event.id()).set("kind", event.kind()), event))
        .toList();
  }

  private List<Row> audit(Table table) {
    return audit.entries().latest().stream()
        .map(entry -> LiveRows.happened(table.row(entry.id()), entry))
        .toList();
  }

  private Listing tunnels(Table table) {
    return new Listing() {
      @Override
      public CompletionStage<Page> page(Query query) {
        return rows().thenApply(rows -> query.select(rows.stream()));
      }

      @Override
      public CompletionStage<Optional<Row>> find(String id) {
        return rows()
            .thenApply(rows -> rows.stream().filter(row -> row.id().equals(id)).findFirst());
      }

      private CompletionStage<List<Row>> rows() {
        return setup
            .tunnels()
            .get()
            .thenApply(seen -> seen.stream().map(tunnel -> row(table, tunnel)).toList());
      }
    };
  }

  private Row row(Table table, SeenTunnel tunnel) {
    TunnelTotals totals = live.streams().tunnel("", tunnel.id());
    Row row =
        table
            .row(totals.id())
            .set("name", tunnel.name())
            .set("tunnel", tunnel.id())
            .set("protocol", tunnel.protocol().label())
            .set("leads_to", tunnel.leadsTo())
            .set(
                "state",
                tunnel.address() != null
                    ? "registered"
                    : tunnel.refusal() == null ? "registering" : "refused")
            .set("public_address", tunnel.address())
            .set("failed", totals.refusedCount())
            .set("detail", tunnel.refusal());
    return LiveRows.totals(row, totals);
  }

  // --- pages ---

  private CompletionStage<ObjectNode> status(Caller caller) {
    List<String> reasons = setup.notReady().get();
    String cluster = setup.cluster().get();
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("kind", "agent");
    json.put("node", setup.id());
    json.put("version", setup.version());
    json.put(
        "state", setup.draining().get() ? "draining" : reasons.isEmpty() ? "ready" : "not_ready");
    var list = json.putArray("reasons");
    reasons.forEach(list::add);
    json.put("cluster", cluster.isEmpty() ? null : cluster);
    json.put("caller", caller.name());
    json.put("role", caller.role().name().toLowerCase(Locale.ROOT));
    json.put("started_at", Instant.ofEpochMilli(live.startedAt()).toString());
    return now(json);
  }

  private CompletionStage<ObjectNode> summary() {
    return setup
        .tunnels()
        .get()
        .thenApply(seen -> {
          long rateIn = 0;
          long rateOut = 0;
          for (TunnelTotals totals : live.streams().tunnels()) {
            rateIn += totals.rateIn();
            rateOut += totals.rateOut();
          }
          ObjectNode json = JsonNodeFactory.instance.objectNode();
          json.put("links", live.links().size());
          json.put("tunnels", seen.size());
          json.put(
              "tunnels_registered",
              seen.stream().filter(tunnel -> tunnel.address() != null).count());
          json.put("open_streams", live.streams().streams().size());
          json.put("open_sessions", live.streams().sessions().size());
          json.put("opened", live.streams().openedCount());
          json.put("failed", live.streams().refusedCount());
          json.put(
              "bytes_in",
              setup.meters().traffic().fromPeer() + setup.meters().datagrams().bytesFromPeer());
          json.put(
              "bytes_out",
              setup.meters().traffic().toPeer() + setup.meters().datagrams().bytesToPeer());
          json.put("rate_in", rateIn);
          json.put("rate_out", rateOut);
          json.setAll(reasons());
          json.putArray("unanswered");
          return json;
        });
  }

  /// Counters by their one label.
  private ObjectNode reasons() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    REASONS.forEach((field, count) -> {
      ObjectNode counts = json.putObject(field);
      setup.registry().scrape(count.metric()::equals).stream()
          .filter(CounterSnapshot.class::isInstance)
          .map(CounterSnapshot.class::cast)
          .flatMap(snapshot -> snapshot.getDataPoints().stream())
          .forEach(point -> {
            String reason = point.getLabels().get(count.label());
            if (reason != null) {
              counts.put(reason, (long) point.getValue());
            }
          });
    });
    return json;
  }

  // --- actions ---

  private Map<String, Action> actions() {
    return Map.of(
        "close_stream", asked -> close(asked, live.streams().stream(asked.id())),
        "close_session", asked -> close(asked, live.streams().session(asked.id())),
        "close_link", this::closeLink);
  }

  private CompletionStage<Action.Done> close(Action.Asked asked, Optional<LiveStream> found) {
    asked.requireFields();
    LiveStream stream = found.orElseThrow(() -> new ApiProblem(404, asked.id() + ": no such id"));
    stream.close();
    live.events()
        .add(
            "stream_closed",
            Map.of(
                "tunnel", stream.tunnel().name(),
                "stream_id", stream.id(),
                "reason", "operator"));
    return now(Action.Done.of(asked.id(), "its service and its client are reset"));
  }

  private CompletionStage<Action.Done> closeLink(Action.Asked asked) {
    asked.requireFields();
    var link =
        live.links().stream()
            .filter(it -> it.id().equals(asked.id()))
            .findFirst()
            .orElseThrow(() -> new ApiProblem(404, asked.id() + ": no such id"));
    link.close();
    return now(Action.Done.of(asked.id(), "the link to " + link.facts().remote() + " closes"));
  }
}
