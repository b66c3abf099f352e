package dev.penstock.gateway.manage;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.access.Cidr;
import dev.penstock.config.ClusterName;
import dev.penstock.config.HostPort;
import dev.penstock.gateway.cluster.BuildVersion;
import dev.penstock.gateway.cluster.NodeInfo;
import dev.penstock.gateway.cluster.NodeState;
import dev.penstock.gateway.cluster.Nodes;
import dev.penstock.gateway.drain.Drain;
import dev.penstock.gateway.leases.LeaseAuthority;
import dev.penstock.gateway.leases.Reservation;
import dev.penstock.gateway.leases.Reserving;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.links.Links;
import dev.penstock.gateway.manage.Desk.Local;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.observe.Live;
import dev.penstock.gateway.sources.Bans;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.live.LiveStream;
import dev.penstock.management.access.Caller;
import dev.penstock.management.api.Action;
import dev.penstock.management.api.Api;
import dev.penstock.management.api.ApiMeters;
import dev.penstock.management.api.ApiProblem;
import dev.penstock.management.api.AuditLog;
import dev.penstock.management.api.Listing;
import dev.penstock.management.api.Query;
import dev.penstock.management.api.Query.Page;
import dev.penstock.management.api.Table;
import dev.penstock.management.api.Table.Row;
import dev.penstock.management.api.Wire;
import dev.penstock.protocol.control.RegisteredTunnel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/// The management API of a gateway: every node answers for all of its cluster. What a node has of
/// its own the others ask of its [Desk]; what all know, such as leases and bans, is told from
/// memory. Safe for use by several threads.
public final class GatewayApi {
  private static final String DOCUMENT = "openapi.yaml";
  private static final Duration ASK = Duration.ofSeconds(5);
  private static final Duration WISH = Duration.ofSeconds(15);
  private static final Duration SAMPLE = Duration.ofSeconds(1);
  private static final Duration SOON = Duration.ofSeconds(5);

  /// Pages of tunnels' numbers that are fetched from one node.
  private static final int MAX_PAGES = 400;

  private static final Map<String, String> REASONS =
      Map.of(
          "refused_by_reason", "penstock_gateway_clients_refused",
          "ended_by_reason", "penstock_gateway_streams_ended",
          "rejected_by_reason", "penstock_gateway_rejected");

  private final Setup setup;
  private final Live live;
  private final Peers peers;
  private final Desk desk = new Desk();
  private final AuditLog audit;
  private final Api api;
  private final Table totals;
  private Table nodesTable = new Table(List.of(column("id", Table.Type.TEXT)));
  private Table bansTable = nodesTable;
  private volatile @Nullable InetSocketAddress address;

  /// What is told of and acted on. Stages complete when the part is there; until then what needs it
  /// is answered 503.
  ///
  /// @param nodes null for a gateway alone
  /// @param clusterName null for a gateway alone
  /// @param notReady why this node is not
  /// @param draining whether that is because it drains
  /// @param publicHost what users are told
  public record Setup(
      ActorSystem<?> system,
      @Nullable Nodes nodes,
      @Nullable String clusterName,
      Supplier<List<String>> notReady,
      Supplier<Boolean> draining,
      GatewayMeters meters,
      PrometheusRegistry registry,
      ApiMeters apiMeters,
      Links links,
      Bans bans,
      String publicHost,
      CompletableFuture<ActorRef<Tunnels.Command>> tunnels,
      CompletableFuture<ActorRef<Drain.Command>> drain) {}

  /// Begins to answer; [#api] is to be given to the management port.
  public GatewayApi(Setup setup) {
    this.setup = setup;
    this.live = setup.meters().live();
    this.peers = new Peers(setup.system(), setup.nodes());
    this.audit = new AuditLog(live.prefix(), live.events());
    this.totals =
        new Table(
            List.of(
                column("id", Table.Type.TEXT),
                column("open_streams", Table.Type.INTEGER),
                column("bytes_in", Table.Type.INTEGER),
                column("bytes_out", Table.Type.INTEGER),
                column("rate_in", Table.Type.INTEGER),
                column("rate_out", Table.Type.INTEGER),
                column("opened", Table.Type.INTEGER),
                column("refused", Table.Type.INTEGER),
                column("last_opened_at", Table.Type.TIME)));
    desk.list("totals", new Local(totals, () -> now(LocalRows.totals(totals, live))));
    this.api =
        new Api(
            setup.system(),
            new Api.Content(
                () ->
                    Objects.requireNonNull(
                        GatewayApi.class.getResourceAsStream(DOCUMENT), DOCUMENT),
                lists(),
                Map.of("status", this::status, "summary", _ -> summary()),
                actions()),
            audit,
            setup.apiMeters());
    desk.action("reasons", _ -> now(Optional.of(reasons().toString())));
    setup.bans().enforcedBy(this::cut);
    setup
        .system()
        .scheduler()
        .scheduleWithFixedDelay(SAMPLE, SAMPLE, this::sample, setup.system().executionContext());
    if (setup.nodes() != null) {
      setup.system().systemActorOf(desk.behavior(), Desk.NAME, Props.empty());
    }
    live.events().add("node_started", Map.of("detail", BuildVersion.text()));
  }

  private void sample() {
    long now = System.nanoTime();
    live.streams().sample(now);
    live.forgetAgents(now);
  }

  /// What serves it.
  public Api api() {
    return api;
  }

  /// Where the management port was bound.
  public void boundAt(InetSocketAddress bound) {
    address = bound;
  }

  private static Table.Column column(String name, Table.Type type) {
    return new Table.Column(name, type, Set.of());
  }

  private static <T> CompletionStage<T> now(T value) {
    return CompletableFuture.completedFuture(value);
  }

  /// How this node is called.
  private String self() {
    Nodes nodes = setup.nodes();
    return nodes == null ? "local" : Peers.nameOf(nodes.self());
  }

  // --- lists ---

  private Map<String, Function<Table, Listing>> lists() {
    var lists = new HashMap<String, Function<Table, Listing>>();
    lists.put(
        "agents", table -> ofAll("agents", table, () -> LocalRows.agents(table, self(), live)));
    lists.put("links", table -> ofAll("links", table, () -> LocalRows.links(table, self(), live)));
    lists.put(
        "streams",
        table ->
            ofAll(
                "streams",
                table,
                () -> LocalRows.streams(table, self(), live.streams().streams(), "tcp")));
    lists.put(
        "sessions",
        table ->
            ofAll(
                "sessions",
                table,
                () -> LocalRows.streams(table, self(), live.streams().sessions(), "udp")));
    lists.put(
        "events",
        table -> ofAll("events", table, () -> LocalRows.events(table, self(), live.events())));
    lists.put(
        "audit",
        table -> ofAll("audit", table, () -> LocalRows.audit(table, self(), audit.entries())));
    lists.put(
        "bans",
        table -> {
          bansTable = table;
          return Listing.of(() -> LocalRows.bans(table, setup.bans()));
        });
    lists.put("nodes", this::nodes);
    lists.put("tunnels", this::tunnels);
    lists.put("leases", this::leases);
    return lists;
  }

  private Listing ofAll(String name, Table table, Supplier<List<Row>> rows) {
    var local = new Local(table, () -> now(rows.get()));
    desk.list(name, local);
    return new ClusterListing(name, local, peers);
  }

  /// Rows that are gathered from somewhere, and who is missing.
  private record Gathered(List<Row> rows, List<String> unanswered) {
    Page page(Query query) {
      Page page = query.select(rows.stream());
      return new Page(page.rows(), page.total(), page.left(), unanswered);
    }

    Optional<Row> find(String id) {
      return rows.stream().filter(row -> row.id().equals(id)).findFirst();
    }
  }

  private static Listing gathering(Supplier<CompletionStage<Gathered>> gather) {
    return new Listing() {
      @Override
      public CompletionStage<Page> page(Query query) {
        return gather.get().thenApply(gathered -> gathered.page(query));
      }

      @Override
      public CompletionStage<Optional<Row>> find(String id) {
        return gather.get().thenApply(gathered -> gathered.find(id));
      }
    };
  }

  private Listing nodes(Table table) {
    nodesTable = table;
    desk.list("nodes", new Local(table, () -> node(table).thenApply(List::of)));
    return gathering(() -> nodeRows(table));
  }

  private CompletionStage<Gathered> nodeRows(Table table) {
    return node(table)
        .thenCombine(
            peers.ask(PeerQuestion.Kind.PAGE, "nodes", "{}"),
            (own, answers) -> {
              var rows = new ArrayList<Row>();
              rows.add(own);
              var unanswered = new ArrayList<>(answers.unanswered());
              for (NodeInfo other : peers.others()) {
                String name = Peers.nameOf(other);
                PeerAnswer answer = answers.answers().get(name);
                if (answer != null && answer.status() == 200) {
                  Wire.page(table, answer.text())
                      .rows()
                      .forEach(row ->
                          // As this node sees it, which may hear less of it.
                          rows.add(row.set("self", false)));
                } else {
                  if (answer != null) {
                    unanswered.add(name);
                  }
                  rows.add(told(table, other).set("self", false).set("reasons", List.of()));
                }
              }
              return new Gathered(rows, unanswered);
            });
  }

  /// What all nodes are told of one.
  private static Row told(Table table, NodeInfo node) {
    return table
        .row(Peers.nameOf(node))
        .set("state", LocalRows.word(node.state()))
        .set("version", node.version())
        .set("relay_address", node.relay().toString())
        .set("links_url", node.linksUrl() == null ? null : node.linksUrl().toString());
  }

  private CompletionStage<Row> node(Table table) {
    List<String> reasons = setup.notReady().get();
    Nodes nodes = setup.nodes();
    Row row =
        nodes == null
            ? table.row("local").set("version", BuildVersion.text())
            : told(table, nodes.self());
    InetSocketAddress bound = address;
    long in = setup.meters().traffic().toPeer() + setup.meters().datagrams().bytesToPeer();
    long out = setup.meters().traffic().fromPeer() + setup.meters().datagrams().bytesFromPeer();
    long rateIn = 0;
    long rateOut = 0;
    for (var tunnel : live.streams().tunnels()) {
      rateIn += tunnel.rateIn();
      rateOut += tunnel.rateOut();
    }
    row.set("self", true)
        .set("state", state(reasons))
        .set("reasons", reasons)
        .set("management_address", bound == null ? null : HostPort.show(bound))
        .set("started_at", live.startedAt())
        .set("agents", live.agents().size())
        .set("links", live.links().size())
        .set("open_streams", live.streams().streams().size())
        .set("open_sessions", live.streams().sessions().size())
        .set("bytes_in", in)
        .set("bytes_out", out)
        .set("rate_in", rateIn)
        .set("rate_out", rateOut)
        .set("opened", live.streams().openedCount())
        .set("refused", live.streams().refusedCount())
        .set("watchers", api.watching());
    if (!setup.tunnels().isDone()) {
      return now(row);
    }
    return survey()
        .thenApply(seen -> {
          long listening =
              seen.stream()
                  .filter(tunnel -> tunnel.view().state() == RegisteredTunnel.State.LISTENING)
                  .count();
          return row.set("tunnels", seen.size()).set("listening", listening);
        });
  }

  private String state(List<String> reasons) {
    if (setup.draining().get()) {
      return "draining";
    }
    return reasons.isEmpty() ? "ready" : "starting";
  }

  private CompletionStage<List<Tunnels.Seen>> survey() {
    ActorRef<Tunnels.Command> actor = setup.tunnels().getNow(null);
    if (actor == null) {
      return starting().asStage();
    }
    return AskPattern.<Tunnels.Command, Tunnels.Surveyed>ask(
            actor, Tunnels.Survey::new, ASK, setup.system().scheduler())
        .thenApply(Tunnels.Surveyed::tunnels);
  }

  private static ApiProblem starting() {
    return new ApiProblem(503, "the gateway is starting; /api/v1/status says how far it is", SOON);
  }

  private Listing tunnels(Table table) {
    return gathering(() ->
        survey()
            .thenCombine(
                numbers(),
                (seen, others) ->
                    new Gathered(
                        LocalRows.tunnels(
                            table, seen, live, setup.publicHost(), others.byId(), this::linksOf),
                        others.unanswered())));
  }

  private int linksOf(String cluster) {
    Nodes nodes = setup.nodes();
    int elsewhere =
        nodes == null ? 0 : nodes.withLinks(cluster).stream().mapToInt(node -> node.links()).sum();
    return setup.links().count(cluster) + elsewhere;
  }

  /// What other nodes count of tunnels.
  private record Numbers(Map<String, List<Row>> byId, List<String> unanswered) {}

  private CompletionStage<Numbers> numbers() {
    CompletionStage<Numbers> all = now(new Numbers(new HashMap<>(), new ArrayList<>()));
    for (NodeInfo node : peers.others()) {
      all =
          all.thenCombine(
              numbers(node, "", MAX_PAGES, new ArrayList<>()),
              (found, rows) -> {
                if (rows == null) {
                  found.unanswered().add(Peers.nameOf(node));
                } else {
                  rows.forEach(row ->
                      found.byId().computeIfAbsent(row.id(), _ -> new ArrayList<>()).add(row));
                }
                return found;
              });
    }
    return all;
  }

  /// All pages of one node, one after the other; null when it does not answer.
  private CompletionStage<@Nullable List<Row>> numbers(
      NodeInfo node, String cursor, int pages, List<Row> before) {
    if (node.state() == NodeState.UNREACHABLE) {
      return CompletableFuture.completedFuture(null);
    }
    var parameters = new TreeMap<String, String>();
    parameters.put("limit", Integer.toString(Query.MAX_LIMIT));
    if (!cursor.isEmpty()) {
      parameters.put("cursor", cursor);
    }
    return peers
        .ask(node, PeerQuestion.Kind.PAGE, "totals", Wire.encode(parameters))
        .thenCompose(answer -> {
          if (answer == null || answer.status() != 200) {
            return CompletableFuture.<@Nullable List<Row>>completedFuture(null);
          }
          Page page = Wire.page(totals, answer.text());
          before.addAll(page.rows());
          if (page.rows().isEmpty() || page.left() <= page.rows().size() || pages == 1) {
            return CompletableFuture.<@Nullable List<Row>>completedFuture(before);
          }
          String next = Query.of(totals, "id", Map.of()).cursorAfter(page.rows().getLast());
          return numbers(node, next, pages - 1, before);
        });
  }

  private Listing leases(Table table) {
    return gathering(() ->
        survey()
            .thenCombine(
                wish(LeaseAuthority::reservations),
                (seen, done) ->
                    new Gathered(
                        LocalRows.leases(table, seen, live, done.reservations()), List.of())));
  }

  // --- pages ---

  private CompletionStage<ObjectNode> status(Caller caller) {
    List<String> reasons = setup.notReady().get();
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    json.put("kind", "gateway");
    json.put("node", self());
    json.put("version", BuildVersion.text());
    json.put("state", state(reasons));
    var list = json.putArray("reasons");
    reasons.forEach(list::add);
    json.put("cluster", setup.clusterName());
    json.put("caller", caller.name());
    json.put("role", LocalRows.word(caller.role()));
    json.put("started_at", Instant.ofEpochMilli(live.startedAt()).toString());
    return now(json);
  }

  private CompletionStage<ObjectNode> summary() {
    return nodeRows(nodesTable)
        .thenCombine(
            peers.ask(PeerQuestion.Kind.ACT, "reasons", ""),
            (gathered, reasons) -> {
              ObjectNode json = JsonNodeFactory.instance.objectNode();
              List<Row> rows = gathered.rows();
              json.put("nodes", rows.size());
              json.put(
                  "nodes_ready",
                  rows.stream().filter(row -> "ready".equals(row.get("state"))).count());
              // Every node knows all tunnels.
              json.put(
                  "tunnels", rows.stream().mapToLong(row -> row.number("tunnels")).max().orElse(0));
              for (String column :
                  List.of(
                      "agents",
                      "links",
                      "open_streams",
                      "open_sessions",
                      "opened",
                      "bytes_in",
                      "bytes_out",
                      "rate_in",
                      "rate_out",
                      "refused")) {
                json.put(column, rows.stream().mapToLong(row -> row.number(column)).sum());
              }
              json.put("bans", setup.bans().all().size());
              ObjectNode counts = reasons();
              reasons.answers().values().stream()
                  .filter(answer -> answer.status() == 200)
                  .forEach(answer -> add(counts, answer.text()));
              json.setAll(counts);
              var unanswered = json.putArray("unanswered");
              gathered.unanswered().forEach(unanswered::add);
              return json;
            });
  }

  /// Counters by their one label.
  private ObjectNode reasons() {
    ObjectNode json = JsonNodeFactory.instance.objectNode();
    var snapshots = setup.registry().scrape(REASONS.values()::contains);
    REASONS.forEach((field, metric) -> {
      ObjectNode counts = json.putObject(field);
      snapshots.stream()
          .filter(snapshot -> snapshot.getMetadata().getName().equals(metric))
          .filter(CounterSnapshot.class::isInstance)
          .map(CounterSnapshot.class::cast)
          .flatMap(snapshot -> snapshot.getDataPoints().stream())
          .forEach(point -> counts.put(point.getLabels().get("reason"), (long) point.getValue()));
    });
    return json;
  }

  private static void add(ObjectNode counts, String more) {
    Wire.read(more)
        .properties()
        .forEach(field -> {
          if (counts.get(field.getKey()) instanceof ObjectNode sums) {
            field
                .getValue()
                .properties()
                .forEach(reason ->
                    sums.put(
                        reason.getKey(),
                        sums.path(reason.getKey()).asLong() + reason.getValue().asLong()));
          }
        });
  }

  // --- actions ---

  private Map<String, Action> actions() {
    var actions = new HashMap<String, Action>();
    actions.put(
        "close_stream",
        anywhere("close_stream", id -> now(live.streams().stream(id).map(this::closed))));
    actions.put(
        "close_session",
        anywhere("close_session", id -> now(live.streams().session(id).map(this::closed))));
    actions.put(
        "close_link",
        anywhere(
            "close_link",
            id ->
                now(
                    live.link(id)
                        .map(link -> {
                          link.close();
                          return "the link of " + link.facts().cluster() + " closes";
                        }))));
    actions.put("drain_node", anywhere("drain_node", this::drain));
    actions.put("release_lease", this::release);
    actions.put("reserve_lease", this::reserve);
    actions.put("unreserve_lease", this::unreserve);
    actions.put("ban", this::ban);
    actions.put("lift_ban", this::lift);
    return actions;
  }

  private String closed(LiveStream stream) {
    stream.close();
    live.events()
        .add(
            "stream_closed",
            Map.of(
                "cluster", stream.tunnel().cluster(),
                "tunnel", stream.tunnel().name(),
                "stream_id", stream.id(),
                "address", String.valueOf(stream.facts().client()),
                "reason", "operator"));
    return "the client " + stream.facts().client() + " is reset";
  }

  private CompletionStage<Optional<String>> drain(String node) {
    if (!node.equals(self())) {
      return now(Optional.empty());
    }
    ActorRef<Drain.Command> actor = setup.drain().getNow(null);
    if (actor == null) {
      return starting().asStage();
    }
    actor.tell(new Drain.Begin());
    live.events().add("node_draining", Map.of("detail", "an operator wants it"));
    return now(Optional.of("draining; its state says how far it is"));
  }

  /// An action on something that one node has, whichever that is.
  private Action anywhere(String name, Function<String, CompletionStage<Optional<String>>> here) {
    desk.action(name, here);
    return asked -> {
      asked.requireFields();
      return here.apply(asked.id())
          .thenCompose(done ->
              done.isPresent()
                  ? now(Action.Done.of(asked.id(), done.get()))
                  : peers
                      .ask(PeerQuestion.Kind.ACT, name, asked.id())
                      .thenApply(answers -> done(asked.id(), answers)));
    };
  }

  private static Action.Done done(String id, Peers.Answers answers) {
    for (PeerAnswer answer : answers.answers().values()) {
      if (answer.status() == 200) {
        return Action.Done.of(id, answer.text());
      }
    }
    for (PeerAnswer answer : answers.answers().values()) {
      if (answer.status() != 404) {
        throw new ApiProblem(503, answer.text(), SOON);
      }
    }
    if (!answers.unanswered().isEmpty()) {
      throw new ApiProblem(
          503,
          id
              + ": not found, but these nodes did not answer: "
              + String.join(", ", answers.unanswered()),
          SOON);
    }
    throw new ApiProblem(404, id + ": no such id");
  }

  private CompletionStage<Reserving.Done> wish(
      Function<LeaseAuthority, CompletionStage<Reserving>> wish) {
    ActorRef<Tunnels.Command> actor = setup.tunnels().getNow(null);
    if (actor == null) {
      return starting().asStage();
    }
    return AskPattern.<Tunnels.Command, Reserving>ask(
            actor, replyTo -> new Tunnels.Reserve(wish, replyTo), WISH, setup.system().scheduler())
        .thenApply(reserving ->
            switch (reserving) {
              case Reserving.Done done -> done;
              case Reserving.Conflict(var text) -> throw new ApiProblem(409, text);
              case Reserving.Unavailable(var away) ->
                  throw new ApiProblem(503, away.text(), away.retryAfter());
            });
  }

  private static LocalRows.Port port(String id) {
    LocalRows.Port port = LocalRows.port(id);
    if (port == null) {
      throw new ApiProblem(404, id + ": no public port (expected: such as tcp-15432)");
    }
    return port;
  }

  private CompletionStage<Action.Done> reserve(Action.Asked asked) {
    asked.requireFields("cluster");
    LocalRows.Port port = port(asked.id());
    String cluster = asked.text("cluster", 253);
    if (!ClusterName.isOne(cluster)) {
      throw new ApiProblem(400, "cluster: not one (expected: " + ClusterName.EXPECTED + ")");
    }
    var reservation = new Reservation(port.transport(), port.number(), cluster);
    return wish(leases -> leases.reserve(reservation))
        .thenApply(_ -> Action.Done.of(asked.id(), "only " + cluster + " is given the port"));
  }

  private CompletionStage<Action.Done> unreserve(Action.Asked asked) {
    asked.requireFields();
    LocalRows.Port port = port(asked.id());
    return wish(leases -> leases.unreserve(port.transport(), port.number()))
        .thenApply(_ -> Action.Done.of(asked.id(), "the port is reserved for nobody"));
  }

  private CompletionStage<Action.Done> release(Action.Asked asked) {
    asked.requireFields();
    LocalRows.Port port = port(asked.id());
    return survey()
        .thenCompose(seen -> {
          TunnelIdentity holder =
              seen.stream()
                  .map(Tunnels.Seen::tunnel)
                  .filter(tunnel -> tunnel.transport() == port.transport())
                  .filter(
                      tunnel -> tunnel.lease() != null && tunnel.lease().port() == port.number())
                  .map(tunnel -> tunnel.identity())
                  .findFirst()
                  .orElseThrow(() -> new ApiProblem(404, asked.id() + ": nobody has the port"));
          return release(holder)
              .thenApply(_ ->
                  Action.Done.of(
                      asked.id(),
                      "the tunnel " + holder.tunnelId() + " of " + holder.cluster() + " ended"));
        });
  }

  private CompletionStage<Tunnels.Deregistered> release(TunnelIdentity holder) {
    ActorRef<Tunnels.Command> actor = setup.tunnels().getNow(null);
    if (actor == null) {
      return starting().asStage();
    }
    return AskPattern.<Tunnels.Command, Tunnels.Deregistered>ask(
            actor,
            replyTo -> new Tunnels.Deregister(holder, replyTo),
            WISH,
            setup.system().scheduler())
        .thenApply(answer ->
            switch (answer) {
              case Tunnels.Deregistered.Done done -> done;
              case Tunnels.Deregistered.Unavailable(var text, var retryAfter) ->
                  throw new ApiProblem(503, text, retryAfter);
            });
  }

  private CompletionStage<Action.Done> ban(Action.Asked asked) {
    asked.requireFields("source", "seconds", "reason");
    String text = asked.text("source", 50);
    long seconds = asked.number("seconds", 1, 365 * 24 * 3600L);
    String reason = asked.body().has("reason") ? asked.text("reason", 200) : "";
    Cidr source =
        Cidr.parse(text)
            .orElseThrow(() ->
                new ApiProblem(
                    400,
                    "source: not one (expected: an address or a network such as 192.0.2.0/24,"
                        + " without bits behind its prefix)"));
    if (source.prefix() == 0) {
      throw new ApiProblem(400, "source: everybody (expected: a prefix of at least 1)");
    }
    long now = System.currentTimeMillis();
    var ban = new Bans.Ban(source, reason, asked.caller().name(), now, now + seconds * 1000);
    if (!setup.bans().make(ban)) {
      throw new ApiProblem(
          409,
          "too many bans (expected: at most "
              + Bans.MAX_ADDRESSES
              + " addresses and "
              + Bans.MAX_NETWORKS
              + " networks)");
    }
    live.events().add("ban_made", Map.of("address", source.toString(), "detail", reason));
    return now(
        new Action.Done(ban.id(), "for " + seconds + " s", LocalRows.ban(bansTable, ban).json()));
  }

  private CompletionStage<Action.Done> lift(Action.Asked asked) {
    asked.requireFields();
    Bans.Ban lifted =
        setup
            .bans()
            .lift(asked.id())
            .orElseThrow(() -> new ApiProblem(404, asked.id() + ": no such ban"));
    live.events().add("ban_lifted", Map.of("address", lifted.source().toString()));
    return now(Action.Done.of(asked.id(), "the ban of " + lifted.source() + " is lifted"));
  }

  /// Closes what clients of a banned source have here.
  private void cut(Bans.Ban ban) {
    cut(ban, live.streams().streams());
    cut(ban, live.streams().sessions());
  }

  private static void cut(Bans.Ban ban, Collection<LiveStream> streams) {
    for (LiveStream stream : streams) {
      String client = stream.facts().client();
      if (client != null) {
        String host = client.substring(0, client.lastIndexOf(':')).replaceAll("[\\[\\]]", "");
        if (ban.source().contains(InetAddress.ofLiteral(host))) {
          stream.close();
        }
      }
    }
  }
}
