package dev.penstock.gateway.leases.sharded;

import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.LeasePolicy;
import dev.penstock.gateway.leases.LeaseRequest;
import dev.penstock.gateway.leases.PortWish;
import dev.penstock.gateway.leases.Quota;
import dev.penstock.gateway.leases.Transport;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.leases.TunnelRecord.Origin;
import dev.penstock.gateway.leases.sharded.Errand.Ask;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/// Tenants and blocks as pure state machines over a network that loses, delays, swaps and repeats
/// messages, with crashes in between; what was written down outlives them. One seed, one run.
final class LeaseSimulation {
  static final long RETENTION = 1_000;
  private static final PortRange RANGE = new PortRange(10_000, 10_010 + 256 * 2);

  private final SplittableRandom random;
  private final LeasePolicy policy;
  private final Map<BlockId, Block> blocks = new HashMap<>();
  private final List<Tenant> tenants = new ArrayList<>();
  private final List<Runnable> network = new ArrayList<>();
  private final Map<String, Long> fencing = new HashMap<>();
  private final Map<String, TunnelIdentity> owners = new HashMap<>();
  private long now = 1;

  /// Leases that were told to somebody and are not being released, as `port@fencing`.
  private final Map<TunnelIdentity, String> acknowledged = new HashMap<>();

  private int acknowledgements;

  LeaseSimulation(long seed) {
    random = new SplittableRandom(seed);
    policy =
        new LeasePolicy(
            RANGE,
            new Quota(40, 100_000),
            List.of(new LeasePolicy.Tenant("narrow", List.of(new PortRange(10_250, 10_262)), 0)),
            List.of(new LeasePolicy.Reservation("shop", new PortRange(10_300, 10_301))));
    for (BlockId id : BlockId.all(RANGE)) {
      blocks.put(id, new Block(id));
    }
    for (String cluster : List.of("lab", "shop", "narrow")) {
      tenants.add(new Tenant(cluster));
    }
  }

  int acknowledgements() {
    return acknowledgements;
  }

  private final class Block {
    final BlockId id;
    final List<BlockEvent> journal = new ArrayList<>();
    BlockBook book;

    Block(BlockId id) {
      this.id = id;
      book = new BlockBook(id);
    }

    void crash() {
      book = new BlockBook(id);
      int snapshot = random.nextInt(journal.size() + 1);
      journal.subList(0, snapshot).forEach(book::apply);
      book = BlockBook.of(id, book.snapshot());
      journal.subList(snapshot, journal.size()).forEach(book::apply);
    }

    void write(BlockEvent event) {
      journal.add(event);
      book.apply(event);
      checkBlock(this);
    }

    void handle(Ask ask, String cluster, long attempt, Consumer<Consumer<Tenant>> reply) {
      if (!book.isNewest(cluster, attempt)) {
        reply.accept(tenant -> tenant.answered(attempt, errand -> errand.unanswered(ask)));
        return;
      }
      switch (ask) {
        case Ask.Lease lease -> {
          var leased =
              book.lease(cluster, lease.requests(), lease.need(), attempt, now, policy, RETENTION);
          if (!leased.isForgettable()) {
            write(leased.event());
          }
          var room = book.room(cluster, now, policy, RETENTION);
          reply.accept(tenant ->
              tenant.answered(
                  attempt, errand -> errand.leased(lease, attempt, leased.answers(), room)));
        }
        case Ask.Release(_, var purpose, var ids) -> {
          write(
              purpose == Ask.Purpose.END
                  ? book.release(cluster, ids, attempt, now, RETENTION)
                  : book.forget(cluster, ids, attempt));
          reply.accept(tenant -> tenant.answered(attempt, errand -> errand.done(ask, attempt)));
        }
        case Ask.Refuse(_, var identity, long number, var before) -> {
          var event = book.refuse(identity, number, before, attempt);
          write(event);
          reply.accept(tenant ->
              tenant.answered(
                  attempt,
                  errand -> {
                    if (event.lines().isEmpty()) {
                      errand.unanswered(ask);
                    } else {
                      errand.done(ask, attempt);
                    }
                  }));
        }
      }
    }
  }

  private final class Tenant {
    final String cluster;
    final List<TenantEvent> journal = new ArrayList<>();
    final Map<Long, Ask> open = new HashMap<>();
    TenantBook book = new TenantBook();
    Placement.Rooms rooms = new Placement.Rooms();
    Errand errand;
    Runnable end;
    long attempts;

    Tenant(String cluster) {
      this.cluster = cluster;
      crash();
    }

    void crash() {
      book = new TenantBook();
      int snapshot = random.nextInt(journal.size() + 1);
      journal.subList(0, snapshot).forEach(book::apply);
      book = TenantBook.of(book.snapshot());
      journal.subList(snapshot, journal.size()).forEach(book::apply);
      write(new TenantEvent.Opened(book.incarnation() + 1));
      attempts = (long) book.incarnation() << 32;
      rooms = new Placement.Rooms();
      errand = null;
      open.clear();
    }

    void write(TenantEvent event) {
      journal.add(event);
      book.apply(event);
    }

    void begin() {
      switch (random.nextInt(6)) {
        case 0 -> release();
        case 1 -> refuse();
        default -> lease();
      }
      round();
    }

    private void lease() {
      if (random.nextInt(4) == 0) {
        rooms.forgetAll();
      }
      var requests = new ArrayList<LeaseRequest>();
      var ids = new HashSet<String>();
      for (int i = random.nextInt(1, 8); i > 0; i--) {
        String id = "t" + random.nextInt(60);
        if (ids.add(id)) {
          requests.add(
              new LeaseRequest(
                  new TunnelIdentity(cluster, id),
                  id.hashCode() % 5 == 0 ? Transport.UDP : Transport.TCP,
                  wish(),
                  Origin.REGISTRATION,
                  "x".repeat(random.nextInt(5))));
        }
      }
      var placement = new Placement(book, requests, policy, rooms);
      errand = placement;
      end =
          () -> {
            for (int i = 0; i < requests.size(); i++) {
              if (placement.answers().get(i) instanceof TenantAnswer.Granted(var granted)) {
                acknowledge(requests.get(i).identity(), granted);
              }
            }
          };
    }

    private PortWish wish() {
      return switch (random.nextInt(5)) {
        case 0 -> new PortWish.None();
        case 1 -> new PortWish.Exactly(random.nextInt(10_248, 10_264));
        default -> new PortWish.Near(random.nextInt(240, 270));
      };
    }

    private void release() {
      var ids = new ArrayList<String>();
      for (int i = random.nextInt(1, 5); i > 0; i--) {
        ids.add("t" + random.nextInt(60));
      }
      ids.forEach(id -> acknowledged.remove(new TunnelIdentity(cluster, id)));
      errand = new Ending(book, ids, book.forgettable(now, RETENTION, 20), now, RETENTION);
      end = () -> {};
    }

    private void refuse() {
      var identity = new TunnelIdentity(cluster, "t" + random.nextInt(60));
      var entry = book.find(identity.tunnelId());
      long number =
          entry == null
              ? 1
              : blocks.get(entry.block()).book.tunnels().stream()
                  .filter(held -> held.identity().equals(identity))
                  .mapToLong(BlockEvent.Held::fencing)
                  .findAny()
                  .orElse(1);
      acknowledged.remove(identity);
      errand = new Refusing(book, identity, number, null);
      end = () -> {};
    }

    void answered(long attempt, Consumer<Errand> what) {
      if (errand != null && open.remove(attempt) != null) {
        what.accept(errand);
        if (open.isEmpty()) {
          round();
        }
      }
    }

    void timeOut() {
      var asks = List.copyOf(open.values());
      open.clear();
      asks.forEach(errand::unanswered);
      round();
    }

    private void round() {
      var round = errand.next();
      write(round.changed());
      if (round.asks().isEmpty()) {
        errand = null;
        end.run();
        return;
      }
      for (Ask ask : round.asks()) {
        long attempt = ++attempts;
        open.put(attempt, ask);
        network.add(() ->
            blocks
                .get(ask.block())
                .handle(
                    ask, cluster, attempt, reply -> network.add(() -> reply.accept(Tenant.this))));
      }
    }
  }

  private void acknowledge(TunnelIdentity identity, BlockAnswer.Granted granted) {
    acknowledgements++;
    if (granted.port() != null) {
      acknowledged.put(identity, granted.port() + "@" + granted.fencing());
    }
  }

  /// One step of whatever may happen.
  void step() {
    now += random.nextInt(3);
    int what = random.nextInt(100);
    if (what < 60 && !network.isEmpty()) {
      // Mostly in order, now and then not.
      int index = random.nextInt(5) == 0 ? random.nextInt(network.size()) : 0;
      var message = random.nextInt(40) == 0 ? network.get(index) : network.remove(index);
      if (random.nextInt(30) != 0) {
        message.run();
      }
    } else if (what < 64) {
      new ArrayList<>(blocks.values()).get(random.nextInt(blocks.size())).crash();
    } else if (what < 66) {
      tenants.get(random.nextInt(tenants.size())).crash();
    } else {
      Tenant tenant = tenants.get(random.nextInt(tenants.size()));
      if (tenant.errand == null) {
        tenant.begin();
      } else if (random.nextInt(20) == 0) {
        tenant.timeOut();
      }
    }
  }

  private void checkBlock(Block block) {
    var ports = new HashSet<Integer>();
    for (BlockEvent.Held held : block.book.tunnels()) {
      Integer port = held.port();
      if (port == null) {
        continue;
      }
      String key = block.id.transport() + " " + port;
      require(ports.add(port), "two tunnels have " + key);
      require(policy.allows(held.cluster(), port), held.cluster() + " has " + key);
      String grant = key + "@" + held.fencing();
      require(
          owners.computeIfAbsent(grant, _ -> held.identity()).equals(held.identity()),
          "two owners of " + grant);
      long highest = fencing.merge(key, held.fencing(), Math::max);
      require(highest == held.fencing(), "an old grant of " + key + " is back");
    }
  }

  /// What must hold at any time, over all blocks.
  void check() {
    Map<TunnelIdentity, String> held = new HashMap<>();
    for (Block block : blocks.values()) {
      for (BlockEvent.Held tunnel : block.book.tunnels()) {
        if (tunnel.port() != null) {
          String before = held.put(tunnel.identity(), tunnel.port() + "@" + tunnel.fencing());
          require(before == null, tunnel.identity() + " has two ports: " + before);
        }
      }
    }
    Set<TunnelIdentity> lost = new HashSet<>();
    acknowledged.forEach((identity, lease) -> {
      if (!lease.equals(held.get(identity))) {
        lost.add(identity);
      }
    });
    require(lost.isEmpty(), "acknowledged and lost: " + lost);
  }

  /// Everything under way comes to its end, and nothing else happens.
  void settle() {
    for (int i = 0; i < 10_000 && !network.isEmpty(); i++) {
      network.removeFirst().run();
    }
    for (Tenant tenant : tenants) {
      while (tenant.errand != null) {
        tenant.timeOut();
        while (!network.isEmpty()) {
          network.removeFirst().run();
        }
      }
    }
    // What tenants believe to live is all that the blocks hold.
    for (Block block : blocks.values()) {
      for (BlockEvent.Held held : block.book.tunnels()) {
        Tenant tenant =
            tenants.stream()
                .filter(it -> it.cluster.equals(held.cluster()))
                .findAny()
                .orElseThrow();
        var entry = tenant.book.find(held.tunnelId());
        require(
            entry != null
                && entry.isLive()
                && (entry.block().equals(block.id) || block.id.equals(entry.previous())),
            held.identity() + " is in " + block.id + ", its tenant says " + entry);
      }
    }
    for (Tenant tenant : tenants) {
      require(
          tenant.book.tunnels() <= policy.quota(tenant.cluster).tunnels(),
          tenant.cluster + " has " + tenant.book.tunnels());
    }
  }

  private void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new AssertionError(otherwise);
    }
  }
}
