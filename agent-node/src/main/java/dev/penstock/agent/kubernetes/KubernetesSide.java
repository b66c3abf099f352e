package dev.penstock.agent.kubernetes;

import dev.penstock.agent.kubernetes.backends.BackendChooser;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.publish.Leadership;
import dev.penstock.agent.kubernetes.publish.Writer;
import dev.penstock.agent.kubernetes.watch.ApiServer;
import dev.penstock.agent.kubernetes.watch.Watches;
import dev.penstock.agent.observe.KubernetesMeters;
import dev.penstock.agent.serve.Found;
import dev.penstock.agent.serve.Grants;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.agent.settings.KubernetesSettings;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.DispatcherSelector;
import org.apache.pekko.actor.typed.Props;
import org.apache.pekko.actor.typed.SpawnProtocol;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.jspecify.annotations.Nullable;

/// An agent's part in a Kubernetes cluster: finds what is to be exposed and, when it is the elected
/// one, writes what users see. All blocking calls run on threads of their own. Safe for use by any
/// thread.
public final class KubernetesSide implements AutoCloseable {
  private static final Duration START_TIMEOUT = Duration.ofSeconds(30);

  /// The first link is to say in which cluster the agent is; an API server that is away does not
  /// keep it from serving.
  private static final Duration FIRST_ANSWER = Duration.ofSeconds(3);

  private final ApiServer api;
  private final ActorRef<Finder.Command> finder;
  private final Watches watches;
  private final Writer writer;
  private final @Nullable Leadership leadership;

  private KubernetesSide(
      ApiServer api,
      ActorRef<Finder.Command> finder,
      Watches watches,
      Writer writer,
      @Nullable Leadership leadership) {
    this.api = api;
    this.finder = finder;
    this.watches = watches;
    this.writer = writer;
    this.leadership = leadership;
  }

  /// The API server of the settings, which may be away.
  ///
  /// @param version of this agent
  /// @throws RuntimeException the kubeconfig cannot be read
  public static ApiServer connect(KubernetesSettings kubernetes, String version) {
    ApiServer api = ApiServer.of(kubernetes.kubeconfig(), "penstock-agent/" + version);
    api.awaitUid(FIRST_ANSWER);
    return api;
  }

  /// Begins to look; the API server may be away.
  ///
  /// @param api is closed with this
  /// @param found gets all that is to be exposed, whenever it changes
  /// @param notReady gets the reasons why this part of the agent is not ready
  public static KubernetesSide start(
      AgentSettings settings,
      ApiServer api,
      ActorSystem<SpawnProtocol.Command> actors,
      KubernetesMeters meters,
      Consumer<Found> found,
      Consumer<List<String>> notReady) {
    KubernetesSettings kubernetes = settings.kubernetes();
    // The watches and the actor tell each other; nothing is told before both are there.
    var finder = new AtomicReference<ActorRef<Finder.Command>>();
    var watches =
        new Watches(
            api,
            new Watches.Setup(
                kinds(kubernetes), kubernetes.watchNamespaces(), kubernetes.apiPoll()),
            state -> finder.get().tell(new Finder.Changed(state)));
    var writer = new Writer(api, settings.id(), meters);
    finder.set(
        AskPattern.<SpawnProtocol.Command, ActorRef<Finder.Command>>ask(
                actors,
                replyTo ->
                    new SpawnProtocol.Spawn<>(
                        Finder.create(
                            new Finder.Setup(
                                settings,
                                new BackendChooser(
                                    Translation.place(kubernetes), kubernetes.allowedBackends()),
                                watches,
                                writer::want,
                                meters,
                                found,
                                notReady)),
                        "kubernetes",
                        (Props) DispatcherSelector.blocking(),
                        replyTo),
                START_TIMEOUT,
                actors.scheduler())
            .toCompletableFuture()
            .join());
    Leadership leadership = null;
    if (kubernetes.mayLead()) {
      leadership =
          new Leadership(
              api,
              new Leadership.Terms(
                  kubernetes.lease().namespace().orElseGet(api::namespace),
                  kubernetes.lease().name(),
                  settings.id(),
                  kubernetes.lease().duration(),
                  kubernetes.lease().renewDeadline(),
                  kubernetes.lease().retryPeriod()),
              office -> {
                writer.office(office);
                finder.get().tell(new Finder.Elected(office));
              });
      leadership.start();
    }
    watches.start();
    return new KubernetesSide(api, finder.get(), watches, writer, leadership);
  }

  private static Set<Kind> kinds(KubernetesSettings settings) {
    var kinds = EnumSet.allOf(Kind.class);
    if (!settings.mayLead()) {
      // Only who writes them has to know them.
      kinds.remove(Kind.TUNNEL_ENDPOINT);
    }
    if (settings.gatewayClass() == KubernetesSettings.GatewayClass.OFF) {
      kinds.remove(Kind.GATEWAY_CLASS);
    }
    return kinds;
  }

  /// The gateway has said something about what was found.
  public void granted(Grants grants) {
    finder.tell(new Finder.Granted(grants));
  }

  /// Lets go of the office, so that another agent writes from now on; goes on finding.
  public void resign() {
    if (leadership != null) {
      Thread.ofVirtual().start(leadership::close);
    }
  }

  /// Ends everything: lets go of the office, ends the watches.
  @Override
  public void close() {
    if (leadership != null) {
      leadership.close();
    }
    writer.close();
    watches.close();
    api.close();
  }
}
