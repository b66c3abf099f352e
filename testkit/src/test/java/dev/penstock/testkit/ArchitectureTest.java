package dev.penstock.testkit;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/// The arrows between modules and packages, and what each part may not know.
@AnalyzeClasses(
    packages = "dev.penstock",
    importOptions = {DoNotIncludeTests.class, ArchitectureTest.NoTestJars.class})
class ArchitectureTest {
  /// Leaves out the test classes that a module publishes as a jar.
  static final class NoTestJars implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("-tests.jar");
    }
  }

  private static final String YAMUX = "dev.penstock.protocol.yamux..";
  private static final String CONTROL = "dev.penstock.protocol.control..";
  private static final String JSON = "dev.penstock.protocol.json..";
  private static final String NET = "dev.penstock.protocol.net..";
  private static final String LINK = "dev.penstock.protocol.link..";
  private static final String PROTOCOL = "dev.penstock.protocol..";
  private static final String GATEWAY = "dev.penstock.gateway..";
  private static final String AGENT = "dev.penstock.agent..";
  private static final String TESTKIT = "dev.penstock.testkit..";
  private static final String[] PURE_KUBERNETES = {
    "dev.penstock.agent.kubernetes.objects..",
    "dev.penstock.agent.kubernetes.discovery..",
    "dev.penstock.agent.kubernetes.backends.."
  };

  @ArchTest
  static final ArchRule GATEWAY_AND_AGENT_NEVER_SEE_EACH_OTHER =
      noClasses()
          .that()
          .resideInAPackage(GATEWAY)
          .should()
          .dependOnClassesThat()
          .resideInAPackage(AGENT)
          .because("they run on different machines and share only the protocol");

  @ArchTest
  static final ArchRule AGENT_NEVER_SEES_GATEWAY =
      noClasses()
          .that()
          .resideInAPackage(AGENT)
          .should()
          .dependOnClassesThat()
          .resideInAPackage(GATEWAY)
          .because("they run on different machines and share only the protocol");

  @ArchTest
  static final ArchRule PROTOCOL_SEES_NEITHER_END =
      noClasses()
          .that()
          .resideInAPackage(PROTOCOL)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(GATEWAY, AGENT, TESTKIT)
          .because("it is what both ends agree on");

  @ArchTest
  static final ArchRule NOTHING_SEES_THE_TESTKIT =
      noClasses()
          .that()
          .resideInAnyPackage(GATEWAY, AGENT)
          .should()
          .dependOnClassesThat()
          .resideInAPackage(TESTKIT)
          .because("it is for tests, demonstrations and measurements");

  @ArchTest
  static final ArchRule PURE_PACKAGES_DO_NO_IO =
      noClasses()
          .that()
          .resideInAnyPackage(YAMUX, CONTROL, JSON)
          .should()
          .dependOnClassesThat(
              resideInAnyPackage("org.apache.pekko..", "io.netty..", "java.nio.channels..")
                  .or(resideInAPackage("java.net..").and(not(nameMatching(".*Address")))))
          .allowEmptyShould(true)
          .because("the protocol is tested in memory, byte by byte; an address is only a value");

  @ArchTest
  static final ArchRule PURE_PACKAGES_HAVE_NO_THREADS =
      noClasses()
          .that()
          .resideInAnyPackage(YAMUX, CONTROL, JSON)
          .should()
          .dependOnClassesThat()
          .areAssignableTo(Thread.class)
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(java.util.concurrent.Executor.class)
          .allowEmptyShould(true)
          .because("their owner decides on which thread they run");

  @ArchTest
  static final ArchRule PURE_PACKAGES_HAVE_NO_CLOCK =
      noClasses()
          .that()
          .resideInAnyPackage(YAMUX, CONTROL, JSON)
          .should()
          .callMethod(System.class, "nanoTime")
          .orShould()
          .callMethod(System.class, "currentTimeMillis")
          .orShould()
          .callMethod(java.time.Instant.class, "now")
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(java.time.Clock.class)
          .allowEmptyShould(true)
          .because("time is an argument, so that a test can move it");

  @ArchTest
  static final ArchRule DISCOVERY_IS_A_FUNCTION =
      noClasses()
          .that()
          .resideInAnyPackage(PURE_KUBERNETES)
          .should()
          .dependOnClassesThat(
              resideInAnyPackage(
                      "io.fabric8..", "org.apache.pekko..", "java.io..", "java.nio.channels..")
                  .or(resideInAPackage("java.net..").and(not(nameMatching(".*Address")))))
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(Thread.class)
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(java.util.concurrent.Executor.class)
          .because("what follows from the objects of a cluster is tested without any server");

  @ArchTest
  static final ArchRule DISCOVERY_HAS_NO_CLOCK =
      noClasses()
          .that()
          .resideInAnyPackage(PURE_KUBERNETES)
          .should()
          .callMethod(System.class, "nanoTime")
          .orShould()
          .callMethod(System.class, "currentTimeMillis")
          .orShould()
          .callMethod(java.time.Instant.class, "now")
          .orShould()
          .dependOnClassesThat()
          .areAssignableTo(java.time.Clock.class)
          .because("time is an argument, so that a test can move it");

  @ArchTest
  static final ArchRule ONLY_NET_SEES_NETTY =
      noClasses()
          .that()
          .resideInAPackage("dev.penstock..")
          .and()
          .resideOutsideOfPackages(NET, TESTKIT)
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.netty..")
          .because("event loops and buffers have one owner");

  @ArchTest
  static final ArchRule ONLY_LEASES_SEE_THE_DATABASE =
      noClasses()
          .that()
          .resideInAPackage("dev.penstock..")
          .and()
          .resideOutsideOfPackages("dev.penstock.gateway.leases..", TESTKIT)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.sql..", "javax.sql..", "org.h2..")
          .because("what lasts is behind LeaseStore");

  @ArchTest
  static final ArchRule ONLY_THE_WIRING_SEES_THE_RELAY =
      noClasses()
          .that()
          .resideInAPackage("dev.penstock.gateway.(**)")
          .and()
          .resideOutsideOfPackages("dev.penstock.gateway", "dev.penstock.gateway.relay..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.penstock.gateway.relay..")
          .because("a client is given to a Way, and a node of its own has no relay");

  @ArchTest
  static final ArchRule A_GATEWAY_ALONE_HAS_NO_CLUSTER =
      noClasses()
          .that()
          .resideInAPackage("dev.penstock..")
          .and()
          .resideOutsideOfPackages(
              "dev.penstock.gateway.cluster..", "dev.penstock.gateway.leases..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.apache.pekko.cluster..")
          .because("what only members need is loaded by members only");

  @ArchTest
  static final ArchRule ONLY_THE_SHELL_SEES_THE_KUBERNETES_CLIENT =
      noClasses()
          .that()
          .resideInAPackage("dev.penstock..")
          .and()
          .resideOutsideOfPackages(
              "dev.penstock.agent.kubernetes.watch..",
              "dev.penstock.agent.kubernetes.publish..",
              TESTKIT)
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.fabric8..")
          .because("an agent outside of a cluster loads none of it");

  @ArchTest
  static final ArchRule YAMUX_AND_CONTROL_ARE_THE_BOTTOM =
      noClasses()
          .that()
          .resideInAnyPackage(YAMUX, CONTROL, JSON)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(NET, LINK)
          .allowEmptyShould(true)
          .because("the order is yamux, control <- net <- link");

  @ArchTest
  static final ArchRule NET_DOES_NOT_KNOW_LINKS =
      noClasses()
          .that()
          .resideInAPackage(NET)
          .should()
          .dependOnClassesThat()
          .resideInAPackage(LINK)
          .allowEmptyShould(true)
          .because("the order is yamux, control <- net <- link");

  @ArchTest
  static final ArchRule PACKAGES_FORM_NO_CYCLE =
      slices().matching("dev.penstock.(**)").should().beFreeOfCycles();
}
