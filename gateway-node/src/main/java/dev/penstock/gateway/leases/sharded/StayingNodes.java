package dev.penstock.gateway.leases.sharded;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.Address;
import org.apache.pekko.cluster.Cluster;
import org.apache.pekko.cluster.sharding.ShardCoordinator.ActorSystemDependentAllocationStrategy;
import org.apache.pekko.cluster.sharding.ShardCoordinator.ShardAllocationStrategy;
import org.jspecify.annotations.Nullable;
import scala.collection.immutable.IndexedSeq;
import scala.concurrent.Future;
import scala.jdk.javaapi.CollectionConverters;

/// Where shards are: as Pekko has it, but on nodes that stay. A node that is about to leave is
/// given none, and what it has is moved away, while its region goes on to reach all shards: what
/// the node still serves needs them. When all nodes are about to leave, none is passed over.
///
/// The coordinator's, which calls it from one thread.
final class StayingNodes implements ActorSystemDependentAllocationStrategy {
  /// The coordinator looks often, for nodes that wait for it; to have shards spread evenly is not
  /// that urgent, and each move costs what is under way to the shard.
  private static final int SPREAD_EVERY = 10;

  private final ShardAllocationStrategy usual;
  private final Predicate<Address> leaving;
  private @Nullable Address self;
  private int looks;

  /// @param usual how shards are spread over the nodes that stay
  /// @param leaving whether the node at an address is about to leave; quick
  StayingNodes(ShardAllocationStrategy usual, Predicate<Address> leaving) {
    this.usual = usual;
    this.leaving = leaving;
  }

  @Override
  public void start(ActorSystem system) {
    self = Cluster.get(system).selfAddress();
    if (usual instanceof ActorSystemDependentAllocationStrategy dependent) {
      dependent.start(system);
    }
  }

  @Override
  public Future<ActorRef> allocateShard(
      ActorRef requester,
      String shard,
      scala.collection.immutable.Map<ActorRef, IndexedSeq<String>> shards) {
    return usual.allocateShard(requester, shard, staying(shards));
  }

  @Override
  public Future<scala.collection.immutable.Set<String>> rebalance(
      scala.collection.immutable.Map<ActorRef, IndexedSeq<String>> shards,
      scala.collection.immutable.Set<String> underWay) {
    var staying = staying(shards);
    var moved = new HashSet<String>();
    CollectionConverters.asJava(shards)
        .forEach((region, its) -> {
          if (!staying.contains(region)) {
            moved.addAll(CollectionConverters.asJava(its));
          }
        });
    moved.removeAll(CollectionConverters.asJava(underWay));
    looks++;
    return moved.isEmpty() && looks % SPREAD_EVERY == 0
        ? usual.rebalance(staying, underWay)
        : Future.successful(immutable(moved));
  }

  private scala.collection.immutable.Map<ActorRef, IndexedSeq<String>> staying(
      scala.collection.immutable.Map<ActorRef, IndexedSeq<String>> shards) {
    Map<ActorRef, IndexedSeq<String>> staying = new HashMap<>(CollectionConverters.asJava(shards));
    staying.keySet().removeIf(region -> leaving.test(addressOf(region)));
    return staying.isEmpty() || staying.size() == shards.size()
        ? shards
        : scala.collection.immutable.Map.from(CollectionConverters.asScala(staying));
  }

  /// A region of this node has no address of its own.
  private Address addressOf(ActorRef region) {
    Address address = region.path().address();
    return address.hasLocalScope() && self != null ? self : address;
  }

  private static scala.collection.immutable.Set<String> immutable(Set<String> shards) {
    return scala.collection.immutable.Set.from(CollectionConverters.asScala(shards));
  }
}
