package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.penstock.config.ConfigurationPage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Every key of `docs/configuration.md`, which the settings' own tests hold to be every key there
/// is, has a test that shows what it does. The modules' tests do not see each other, so a test is
/// looked for in its source.
class KeyEffectsTest {
  /// Keys, with the test that shows what they do; several keys of one section are `{a, b}`.
  private static final String GATEWAY =
      """
      gateway.listen                                HostilePeersSystemTest#anUnknownPathIsRefusedWith404
      gateway.data_dir                              GatewayTest#aDirectoryOfARunningGatewayIsRefused
      gateway.links_url                             GatewayKeysTest#agentsAreToldTheUrlToLinkTo
      gateway.tls.{cert,key}                        TlsSystemTest#anAgentThatTrustsTheAuthorityIsServedOverTls
      gateway.tls.client_ca                         TlsSystemTest#whereCertificatesOfAgentsAreDemandedOnlyThoseOfTheAuthorityAreTaken
      gateway.proxy_protocol.{mode,trusted}         SourceTest#agentsMayComeThroughAProxyToo
      gateway.proxy_protocol.timeout                GatewayKeysTest#aProxyInFrontOfAgentsMustSayInTimeForWhom
      gateway.public.host                           GatewayKeysTest#clientsAreToldTheHostThatIsPublic
      gateway.public.bind                           GatewayTest#aPublicAddressThatIsNotOfThisMachineIsRefusedAtTheStartAndCostsNoLease
      gateway.public.ports                          RegistrationTest#aWantedPortOutOfTheRangeIsAConflict
      gateway.public.max_connections                ClientTest#oneClientTooManyIsResetUntilAnotherLeaves
      gateway.public.idle_timeout                   ClientTest#aClientOverWhichNothingGoesIsCutAndCountedAsIdle
      gateway.public.max_tunnels_per_cluster        SyncTest#aClusterHasOnlySoManyTunnels
      gateway.public.sync_grace                     SyncTest#aTunnelThatSyncsNoLongerNameIsDeregistered
      gateway.public.proxy_protocol.{mode,trusted}  SourceTest#theClientBehindATrustedProxyIsTheCallerAndTheSource
      gateway.public.proxy_protocol.timeout         SourceTest#everyRefusalOfAProxyIsCountedByItsReason
      gateway.public.access.{allow,max_connections_per_source,new_connections_per_second}  SourceTest#theGatewaysLimitsAreBoundsOfTheTunnels
      gateway.public.access.deny                    SourceTest#whomTheGatewayDeniesNoTunnelLetsIn
      gateway.public.access.max_connections         SourceGuardTest#aTunnelHasNoMoreConnectionsThanItMayWhoeverTheyAreFrom
      gateway.auth.tokens[].token                   LinkTest#anUpgradeWithoutAKnownTokenOrPathIsRefused
      gateway.auth.tokens[].token_file              GatewayKeysTest#aTokenOfAFileStandsForItsCluster
      gateway.auth.tokens[].cluster                 RegistrationTest#aBodyThatNamesAnotherClusterIsForbidden
      gateway.links.register_timeout                LinkTest#anAgentThatDoesNotRegisterInTimeIsClosedAndCounted
      gateway.links.handshake_timeout               GatewayKeysTest#aConnectionWithoutARequestIsCutAndCounted
      gateway.links.max_text_message                LinkTest#aMessageTooLargeEndsItsLinkAndNoOther
      gateway.links.max_frame                       GatewayKeysTest#noFrameIsLargerThanItMayBe
      gateway.links.{keepalive_interval,keepalive_timeout}  OriginalAgentTest#aDeadSessionBesideALivingSocketIsReplaced
      gateway.links.max_links_per_cluster           LinkTest#oneLinkTooManyIsSentAwayUntilAnotherEnds
      gateway.links.max_handshakes_per_minute       OriginalAgentTest#aStormIsAnsweredSoThatItCalmsDown
      gateway.links.max_handshakes                  GatewayKeysTest#noMoreHandshakesAreUnderWayThanMayBe
      gateway.links.max_handshakes_per_second       GatewayKeysTest#noMoreLinksAreTakenInASecondThanMayBe
      gateway.links.protocol                        ProtocolSystemTest#bothEndsUseWhatBothMay
      gateway.links.{original_json,original_pause}  OriginalJsonTest#bytesArriveInOrderAndNoneIsLost
      gateway.links.original_hold                   OriginalSessionTest#firstBytesOfTheClientWaitForTheHold
      gateway.links.original_linger                 OriginalSessionTest#theClientsEndIsToldOnlyWhenTheServiceHasFallenSilent
      gateway.links.original_patience               OriginalSessionTest#aClientThatDoesNotReadStopsTheLinkForAWhileAndIsThenReset
      gateway.links.original_half_closed            OriginalAgentTest#aClientWhoseServiceWasResetIsNotLeftHalfClosedForLong
      gateway.links.max_unupgraded                  GatewayKeysTest#theOldestOfTooManyConnectionsWithoutALinkIsCut
      gateway.windows.{max_stream,process_budget}   GatewayKeysTest#theMemoryForSlowReadersIsBoundedAsToldAndTheWindowIsToldToAgents
      gateway.windows.session_budget                WindowTest#growthBeyondTheBudgetIsDeniedAndNothingElseHappens
      gateway.drain.grace                           DrainPlanTest#whatRunsEndsByItselfOrWithTheGraceTime
      gateway.drain.listener_pause                  DrainPlanTest#clientsAreTakenUntilBalancersHaveHadTimeToLook
      gateway.drain.udp_quiet                       UdpTunnelTest#aDrainEndsAFlowOnWhichNothingGoesAndLetsTheOthersGoOn
      gateway.udp.session_timeout                   UdpTunnelTest#aFlowEndsWhenNothingGoesForTheTimeoutAndTheNextDatagramBeginsAnother
      gateway.udp.max_sessions                      UdpTunnelTest#newFlowsAboveTheLimitAreRefusedAndCountedAndTheOldOnesGoOn
      gateway.udp.buffer_size                       UdpTunnelTest#datagramsThatAreTooLargeAreDroppedAndCounted
      gateway.udp.queue_size                        UdpTunnelTest#aStalledFlowKeepsTheNewestAndCountsTheRestExactly
      gateway.event_loops                           GatewayKeysTest#asManyThreadsCarryBytesAsAreAskedFor
      cluster.{enabled,listen,seeds,relay}          ClusterSystemTest#threeNodesFormOneClusterAndGoOnWithoutAKilledOne
      cluster.name                                  ClusterNodeTest#anotherClusterNameIsRefused
      cluster.bind                                  ClusterSystemTest#theSmallerPartEndsAndTheOtherGoesOn
      cluster.relay_bind                            ClusterTunnelsSystemTest#bulkThroughEachNodeArrivesWholeAndIsAnsweredAfterItsEnd
      cluster.bootstrap                             ClusterSettingsTest#theOtherWaysToFindTheCluster
      cluster.min_nodes                             FormationTest#tooFewNodesFormNone
      cluster.dns.name                              ClusterConfigTest#aNameOfTheSystemsResolverStandsForItsAddresses
      cluster.kubernetes.{selector,namespace,api}   KubernetesLookupTest#podsThatRunAreNodes
      cluster.kubernetes.account                    KubernetesLookupTest#aMissingAccountIsToldWithItsFile
      cluster.secret                                ClusterNodeTest#anotherSecretIsRefusedWithTheReasonAndCounted
      cluster.secret_file                           ClusterConfigTest#aSecretOfAFileIsTheSameAsOneInTheSettings
      cluster.tls.{cert,key,ca}                     ClusterNodeTest#withTlsOnlyNodesOfTheAuthorityTakePart
      cluster.insecure                              ClusterSettingsTest#whatCannotBeUsedIsToldWithItsKey
      cluster.{split_brain,unreachable_after}       ClusterConfigTest#howLongANodeMayBeSilentAndWhichPartLivesOnIsTheResolversRule
      cluster.down_after                            ClusterSystemTest#theSmallerPartEndsAndTheOtherGoesOn
      cluster.{leave_timeout,app_version}           ClusterConfigTest#leavingTakesNoLongerThanToldAndTheVersionIsTold
      leases.retention                              ShardedLeasesTest#aReleasedPortIsKeptForItsTunnelUntilTheRetentionIsOver
      leases.tenants[].{cluster,ports,max_tunnels}  ShardedLeasesTest#whatATenantMayHaveIsBoundedByItsPortsItsQuotaAndOthersReservations
      leases.reservations[].{cluster,ports}         ShardedLeasesTest#whatATenantMayHaveIsBoundedByItsPortsItsQuotaAndOthersReservations
      store.url                                     ShardedLeasesTest#everythingIsThereAgainAfterARestart
      store.{user,password,connections}             StoreConfigTest#theDatabaseIsToldWhoComesAndIsGivenNoMoreConnectionsThanMayBe
      store.password_file                           StoreConfigTest#thePasswordMayStandInAFile
      management.listen                             MetricsSystemTest#everySeriesOfAScrapeIsOnThePageAndEveryOneWithoutLabelsIsThere
      management.probes                             ManagementApiTest#probesShowHealthAndMetricsAndNothingElse
      management.tokens[].{name,token,role}         ManagementApiTest#rolesMayDoWhatTheyAreForAndNothingElse
      management.tokens[].token_file                ManagementSettingsTest#tokensHaveNamesAndRolesAndAreNotShown
      management.tls.{cert,key,client_ca,client_role}  ManagementTlsTest#aCertificateOfTheAuthorityIsAsGoodAsATokenOfItsRole
      logging.access                                AccessLogTest#switchedOffByTheSettingsThereIsNone
      logging.access_per_second                     AccessLogTest#linesAboveTheRateAreDroppedAndCountedAndTheNextSecondHasItsOwn
      tracing.endpoint                              TracingSystemTest#aConnectionIsOneTraceOverGatewayAndAgent
      tracing.sample_ratio                          OtlpSpansTest#theShareThatIsAskedForIsTraced
      """;

  private static final String AGENT =
      """
      pipeops.api_url                               NodesTest#anyOfSeveralAddressesWillDoAndLinksGoToAllOfThem
      pipeops.token                                 AgentTest#anAgentRegistersLinksAndTellsWhatCanBeReached
      pipeops.token_file                            AgentKeysTest#theTokenOfAFileIsPresented
      pipeops.cluster_name                          AgentKeysTest#theGatewayIsToldTheNameOfTheCluster
      pipeops.tls.ca_file                           TlsSystemTest#anAgentThatTrustsTheAuthorityIsServedOverTls
      pipeops.tls.{cert_file,key_file}              TlsSystemTest#whereCertificatesOfAgentsAreDemandedOnlyThoseOfTheAuthorityAreTaken
      pipeops.tls.insecure_skip_verify              TlsSystemTest#anAgentThatDoesNotKnowTheAuthorityDoesNotSpeakUnlessItIsToldNotToLook
      agent.id                                      AgentTest#anAgentRegistersLinksAndTellsWhatCanBeReached
      agent.links.count                             NodesTest#linksAreSpreadOverTheNodesAndTheOneTooManyIsClosedLast
      agent.drain.grace                             NodesTest#anAgentToldToEndLetsWhatRunsGoOn
      agent.event_loops                             AgentKeysTest#asManyThreadsCarryBytesAsAreAskedFor
      agent.windows.process_budget                  AgentKeysTest#theMemoryForSlowReadersIsBoundedAsTold
      agent.windows.max_stream                      WindowTest#aFastDrainDoublesTheWindowUpToTheMaximum
      agent.windows.session_budget                  WindowTest#growthBeyondTheBudgetIsDeniedAndNothingElseHappens
      tunnels.enabled                               AgentTest#tunnelsThatAreSwitchedOffAreNeitherRegisteredNorServed
      tunnels.protocol                              ProtocolSystemTest#bothEndsUseWhatBothMay
      tunnels.routing.{force_tunnel_mode,dual_mode_enabled}  AgentSettingsTest#theRoutingModeIsMadeOfTheServicesAndTheCommonKeys
      tunnels.discovery.tcp.{enabled,gateway_label} AgentSettingsTest#theFullConfigurationOfTheOriginalsPageLoadsUnchangedAndSaysTheDefaults
      tunnels.discovery.udp.{enabled,gateway_label} AgentSettingsTest#theFullConfigurationOfTheOriginalsPageLoadsUnchangedAndSaysTheDefaults
      tunnels.tcp.buffer_size                       ServiceLimitsTest#noPieceOfAServicesBytesIsLargerThanItsBuffer
      tunnels.tcp.keepalive                         ServiceLimitsTest#keepAliveMayBeOff
      tunnels.tcp.keepalive_period                  ServiceLimitsTest#theTimesOfKeepAliveAreThoseOfTheService
      tunnels.tcp.connection_timeout                ServiceLimitsTest#aServiceThatDoesNotAnswerInTimeIsGivenUp
      tunnels.tcp.idle_timeout                      ServiceLimitsTest#aHalfClosedConnectionIsCutToo
      tunnels.tcp.max_connections                   ServiceLimitsTest#connectionNumberNPlusOneIsRefusedWithTheReasonAndServedWhenAPlaceIsFree
      tunnels.udp.buffer_size                       UdpServiceTest#aDatagramThatIsTooLargeIsDroppedAndCounted
      tunnels.udp.session_timeout                   UdpServiceTest#aSessionEndsWhenNothingGoesForTheTimeout
      tunnels.udp.max_sessions                      UdpServiceTest#sessionsAboveTheLimitAreRefusedWithTheReason
      tunnels.services[].{name,port,target}         AgentTest#aStreamIsJoinedWithItsService
      tunnels.services[].protocol                   UdpServiceTest#aUdpServiceIsRegisteredAndAnnouncedAsOne
      tunnels.services[].public_port                AgentKeysTest#theGatewayIsAskedForThePublicPort
      tunnels.services[].{public_endpoint,routing_mode}  TunnelRulesSystemTest#aDirectTunnelIsReadyWithItsOwnEndpointAndNobodyListensForIt
      tunnels.services[].tcp.buffer_size            ServiceLimitsTest#noPieceOfAServicesBytesIsLargerThanItsBuffer
      tunnels.services[].tcp.keepalive              ServiceLimitsTest#keepAliveMayBeOff
      tunnels.services[].tcp.keepalive_period       ServiceLimitsTest#theTimesOfKeepAliveAreThoseOfTheService
      tunnels.services[].tcp.connection_timeout     ServiceLimitsTest#aServiceThatDoesNotAnswerInTimeIsGivenUp
      tunnels.services[].tcp.idle_timeout           ServiceLimitsTest#aConnectionWithoutBytesIsCutOnBothSidesAndCountedAsIdle
      tunnels.services[].tcp.max_connections        ServiceLimitsTest#aDialThatFailsGivesItsPlaceBack
      tunnels.services[].udp.{buffer_size,session_timeout,max_sessions}  UdpServiceTest#aServiceMayHaveLimitsOfItsOwn
      tunnels.services[].proxy_protocol             AgentTest#aServiceThatWantsToKnowIsToldWhoCallsBeforeTheClientSpeaks
      tunnels.services[].access.{allow,deny,max_connections_per_source,new_connections_per_second}  AgentTest#theGatewayIsToldWhoMayConnect
      tunnels.services[].access.max_connections     TunnelRulesSystemTest#aFullTunnelResetsTheNextClientWhoeverItIsUntilAnotherLeaves
      kubernetes.{enabled,kubeconfig,allowed_backends,api_poll}  KubernetesSystemTest#anAppliedRouteIsServedSoonAndARemovedOneNoLonger
      kubernetes.watch_namespaces                   KubernetesKeysTest#onlyTheNamespacesNamedAreLookedAt
      kubernetes.roles                              KubernetesKeysTest#anAgentDoesWhatItsRolesSay
      kubernetes.{backend_mode,trust_owner,reference_grants}  TranslationTest#discoveryIsToldWhatTheSettingsSay
      kubernetes.gateway_class                      KubernetesKeysTest#gatewaysOfOurOwnClassMayBeLeftAlone
      kubernetes.{node,zone}                        TranslationTest#discoveryIsToldWhatTheSettingsSay
      kubernetes.lease.{namespace,name,duration}    KubernetesKeysTest#theLeaseIsWhereAndWhatItIsToldToBe
      kubernetes.resync                             FinderTest#everythingIsLookedAtAgainAfterTheResync
      management.listen                             StartupSystemTest#bothAreReadyWithinSeconds
      management.probes                             ManagementApiTest#probesShowHealthAndMetricsAndNothingElse
      management.tokens[].{name,token,role}         ManagementApiTest#rolesMayDoWhatTheyAreForAndNothingElse
      management.tokens[].token_file                ManagementSettingsTest#tokensHaveNamesAndRolesAndAreNotShown
      management.tls.{cert,key,client_ca,client_role}  ManagementTlsTest#aCertificateOfTheAuthorityIsAsGoodAsATokenOfItsRole
      logging.access                                AccessLogTest#switchedOffByTheSettingsThereIsNone
      logging.access_per_second                     AccessLogTest#linesAboveTheRateAreDroppedAndCountedAndTheNextSecondHasItsOwn
      tracing.endpoint                              TracingSystemTest#aConnectionIsOneTraceOverGatewayAndAgent
      tracing.sample_ratio                          OtlpSpansTest#theShareThatIsAskedForIsTraced
      """;

  private static final Pattern SEVERAL = Pattern.compile("(.*)\\{(.*)}");

  @ParameterizedTest
  @CsvSource({"gateway.yaml", "agent.yaml"})
  void everyKeyHasATestThatShowsWhatItDoes(String file) throws IOException {
    Map<String, String> shown = table(file.equals("agent.yaml") ? AGENT : GATEWAY);
    assertThat(shown.keySet())
        .containsExactlyInAnyOrderElementsOf(ConfigurationPage.section(file).rows().keySet());
    Map<String, String> sources = testSources();
    assertThat(new TreeMap<>(shown))
        .allSatisfy((_, test) -> {
          String[] parts = test.split("#", 2);
          assertThat(sources).containsKey(parts[0]);
          assertThat(sources.get(parts[0])).containsPattern("\\n  void " + parts[1] + "\\(");
        });
  }

  private static Map<String, String> table(String lines) {
    var table = new LinkedHashMap<String, String>();
    lines
        .lines()
        .map(line -> line.split(" +"))
        .forEach(fields -> keys(fields[0]).forEach(key -> table.put(key, fields[1])));
    return table;
  }

  private static Stream<String> keys(String written) {
    var several = SEVERAL.matcher(written);
    return several.matches()
        ? Arrays.stream(several.group(2).split(",")).map(last -> several.group(1) + last)
        : Stream.of(written);
  }

  /// What stands in the files of all test classes, by the simple name of the class.
  private static Map<String, String> testSources() throws IOException {
    var sources = new HashMap<String, String>();
    for (String module : new String[] {"protocol", "gateway-node", "agent-node", "testkit"}) {
      try (Stream<Path> files = Files.walk(Path.of("..", module, "src", "test", "java"))) {
        for (Path file : files.filter(it -> it.toString().endsWith("Test.java")).toList()) {
          String before =
              sources.put(
                  file.getFileName().toString().replace(".java", ""), Files.readString(file));
          assertThat(before).as("a second %s", file).isNull();
        }
      }
    }
    return sources;
  }
}
