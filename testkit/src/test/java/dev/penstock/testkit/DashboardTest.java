package dev.penstock.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/// What operators see and do in a browser, at a running gateway and a running agent. Pictures are
/// left in `target/dashboard`.
@Timeout(180)
class DashboardTest {
  private static final Duration PATIENCE = Limits.time(Duration.ofSeconds(20));

  /// What must be shown as it is written.
  private static final String HOSTILE = "<img src=x onerror=document.title='owned'>'&lt;";

  private static final List<String> LISTS =
      List.of(
          "nodes",
          "agents",
          "links",
          "tunnels",
          "streams",
          "sessions",
          "leases",
          "bans",
          "events",
          "audit");

  @TempDir private static Path directory;

  private static DashboardLab lab;
  private static Browser browser;

  @BeforeAll
  static void start() throws Exception {
    Programs.require("chromium");
    lab = DashboardLab.in(directory);
    lab.register("hostile", HOSTILE);
    browser = Browser.start(directory);
  }

  @AfterAll
  static void end() throws Exception {
    if (browser != null) {
      browser.close();
      lab.close();
    }
  }

  /// Whatever a test did, the page must not have broken a rule or thrown.
  @AfterEach
  void noErrors() {
    assertThat(errors()).isEmpty();
  }

  /// But for calls that tests mean to be refused.
  private static List<String> errors() {
    return browser.errors().stream().filter(it -> !it.contains("a status of 40")).toList();
  }

  private static void signIn(String token) {
    browser.open(lab.dashboard());
    browser.script("sessionStorage.clear(); localStorage.clear();");
    browser.open(lab.dashboard());
    browser.focus("#token");
    browser.type(token);
    browser.type(Browser.Key.ENTER);
  }

  private static void signedIn(String token) {
    signIn(token);
    browser.awaitText("Open streams");
  }

  @Test
  void aWrongTokenIsRefusedAndARightOneStaysInTheTab() {
    signIn("wrong");
    browser.awaitText("the token is not known here");
    assertThat(browser.script("return sessionStorage.length")).hasToString("0");
    browser.focus("#token");
    browser.type("reads");
    browser.type(Browser.Key.ENTER);
    browser.awaitText("ann (read)");
    browser.awaitText("Clients refused");
    assertThat(browser.address()).doesNotContain("reads");
    assertThat(browser.script("return document.cookie + JSON.stringify(localStorage)").asText())
        .isEqualTo("{}");
    browser.press("", "Sign out");
    browser.awaitElement("#token");
    assertThat(browser.script("return sessionStorage.length")).hasToString("0");
  }

  @Test
  void whoMayOnlyReadSeesNoButtons() throws Exception {
    signedIn("reads");
    try (Socket client = lab.client()) {
      browser.go("#/streams");
      browser.awaitText("127.0.0.1:" + client.getLocalPort());
      assertThat(browser.count("td button")).isZero();
      browser.go("#/nodes");
      browser.awaitText("local");
      assertThat(browser.count("td button")).isZero();
    }
  }

  @Test
  void aConnectionIsSeenAndClosedAndTheClientIsResetAndTheAuditSaysWho() throws Exception {
    var audit = new ListAppender<ILoggingEvent>();
    audit.start();
    var logger = (Logger) LoggerFactory.getLogger("dev.penstock.audit");
    logger.addAppender(audit);
    signedIn("acts");
    browser.go("#/streams");
    browser.awaitText("No open TCP connections.");
    long opened = System.nanoTime();
    try (Socket client = lab.client()) {
      String address = "127.0.0.1:" + client.getLocalPort();
      browser.awaitText(address);
      Duration seen = Duration.ofNanos(System.nanoTime() - opened);
      System.out.println("a connection is seen after " + seen.toMillis() + " ms");
      assertThat(seen).isLessThan(Limits.time(Duration.ofSeconds(3)));
      browser.press(address, "Close");
      browser.click("dialog #cancel");
      client.getOutputStream().write('?');
      assertThat(client.getInputStream().read()).as("it was not closed").isEqualTo('?');
      browser.press(address, "Close");
      assertThat(browser.read("dialog")).contains(address);
      browser.click("dialog #confirm");
      assertThat(endOf(client)).isEqualTo("reset");
      browser.awaitText("the client " + address + " is reset");
      browser.awaitText("No open TCP connections.");
      browser.go("#/audit");
      browser.awaitText("close stream");
      assertThat(browser.read("tbody")).contains("bob").contains("127.0.0.1");
    } finally {
      logger.detachAppender(audit);
    }
    assertThat(audit.list)
        .anySatisfy(line ->
            assertThat(line.getKeyValuePairs().toString())
                .contains("who=\"bob\"")
                .contains("action=\"close_stream\"")
                .contains("outcome=\"done\""));
  }

  private static String endOf(Socket client) throws Exception {
    try {
      return client.getInputStream().read() < 0 ? "end" : "bytes";
    } catch (SocketException reset) {
      return "reset";
    }
  }

  @Test
  void aBanIsMadeAndLifted() throws Exception {
    signedIn("acts");
    browser.go("#/bans?q=192.0.2.0");
    browser.awaitText("No source is banned.");
    browser.press("", "Ban a source");
    browser.focus("#ban-source");
    browser.type("nobody");
    browser.type(Browser.Key.ENTER);
    assertThat(browser.read("dialog .problem")).startsWith("source: ");
    browser.focus("#ban-source");
    browser.type("192.0.2.0/24");
    browser.focus("#ban-reason");
    browser.type(HOSTILE);
    browser.type(Browser.Key.ENTER);
    browser.awaitText(HOSTILE);
    assertThat(lab.get("/api/v1/bans")).contains("192.0.2.0/24");
    browser.press("192.0.2.0/24", "Lift");
    browser.click("dialog #confirm");
    browser.awaitText("No source is banned.");
  }

  @Test
  void aPortIsReservedAndReleasedAndFreeForAllAgain() throws Exception {
    signedIn("acts");
    browser.go("#/leases?q=34998");
    browser.awaitText("No public port is held or reserved.");
    browser.press("", "Reserve a port");
    browser.focus("#lease-port");
    browser.type("34998");
    browser.focus("#lease-cluster");
    browser.type("two");
    browser.type(Browser.Key.ENTER);
    browser.awaitText("1–1 of 1");
    assertThat(browser.read("tbody")).contains("two", "reserved").doesNotContain("Release");
    assertThat(lab.get("/api/v1/leases/tcp-34998")).contains("\"reserved_for\":\"two\"");
    browser.press("two", "End reservation");
    browser.click("dialog #cancel");
    assertThat(lab.get("/api/v1/leases/tcp-34998")).contains("\"reserved_for\":\"two\"");
    browser.press("two", "End reservation");
    browser.click("dialog #confirm");
    browser.awaitText("No public port is held or reserved.");

    int port = lab.register("to-release", "released");
    browser.go("#/leases?q=" + port);
    browser.awaitText("to-release");
    browser.press("to-release", "Reserve");
    browser.focus("#lease-cluster");
    browser.type(Browser.Key.ENTER);
    browser.awaitText("End reservation");
    browser.press("to-release", "Release");
    assertThat(browser.read("dialog")).contains(Integer.toString(port), "to-release");
    browser.click("dialog #confirm");
    await()
        .atMost(PATIENCE)
        .until(() -> lab.get("/api/v1/leases/tcp-" + port).contains("\"state\":\"reserved\""));
    browser.press("", "End reservation");
    browser.click("dialog #confirm");
    browser.awaitText("No public port is held or reserved.");
    assertThat(lab.get("/api/v1/audit?sort=-time&limit=5"))
        .contains("release_lease", "reserve_lease", "unreserve_lease");
  }

  @Test
  void namesAreShownAsTheyAreWritten() {
    signedIn("acts");
    browser.go("#/tunnels?q=hostile");
    browser.awaitText("hostile");
    browser.script("document.querySelector('tbody a').click()");
    browser.awaitText(HOSTILE);
    assertThat(browser.read("#address")).matches("127\\.0\\.0\\.1:\\d+");
    browser.go("#/tunnels?q=" + HOSTILE.replace("&", "%26"));
    browser.awaitText("1–1 of 1");
    browser.go("#/" + HOSTILE);
    browser.awaitText("Busiest tunnels");
    browser.go("#/tunnels/" + HOSTILE);
    browser.awaitText("There is no such tunnel now.");
    assertThat(browser.count("img")).isZero();
    assertThat(browser.script("return document.title").asText()).isEqualTo("Tunnels – Penstock");
  }

  @Test
  void nothingInlineAndNothingOfOthersRuns() {
    signedIn("reads");
    assertThat(
            browser
                .script(
                    """
                    const script = document.createElement('script');
                    script.textContent = 'window.ran = true';
                    document.body.append(script);
                    const blocked = await fetch('https://192.0.2.1/').then(() => false, () => true);
                    script.remove();
                    return blocked && window.ran === undefined;
                    """)
                .asBoolean())
        .isTrue();
    assertThat(errors())
        .hasSizeGreaterThanOrEqualTo(2)
        .allMatch(it -> it.contains("Content Security Policy"));
  }

  @Test
  void everythingCanBeDoneWithKeys() throws Exception {
    signedIn("acts");
    browser.open(lab.dashboard());
    browser.awaitText("Open streams");
    browser.type(Browser.Key.TAB);
    assertThat(browser.focused()).isEqualTo("Skip to the content");
    browser.type(Browser.Key.ENTER);
    assertThat(browser.focused()).isEqualTo("#main");
    try (Socket client = lab.client()) {
      String address = "127.0.0.1:" + client.getLocalPort();
      browser.go("#/streams");
      browser.awaitText(address);
      browser.type(Browser.Key.SLASH);
      assertThat(browser.focused()).isEqualTo("#filter");
      browser.type(address);
      await()
          .atMost(PATIENCE)
          .until(() -> browser.address().endsWith("q=" + address.replace(":", "%3A")));
      browser.awaitText("1–1 of 1");
      browser.focus("td.actions button");
      browser.type(Browser.Key.ENTER);
      browser.awaitElement("dialog");
      assertThat(browser.focused()).isEqualTo("#cancel");
      browser.type(Browser.Key.ESCAPE);
      await().atMost(PATIENCE).until(() -> browser.count("dialog") == 0);
      assertThat(browser.focused()).isEqualTo("Close");
      browser.focus("th .sort");
      browser.type(Browser.Key.SPACE);
      browser.awaitElement("th[aria-sort=ascending]");
    }
  }

  @Test
  void axeFindsNoBarriersInAnyViewLightAndDarkAndOnAPhone() throws Exception {
    signIn("none");
    browser.awaitText("the token is not known here");
    assertThat(browser.barriers()).isEmpty();
    lab.post(
        "/api/v1/bans", "{\"source\":\"198.51.100.0/24\",\"seconds\":60,\"reason\":\"scans\"}");
    signedIn("acts");
    try (Socket client = lab.client()) {
      String id =
          lab.get("/api/v1/tunnels?cluster=one").replaceAll("(?s).*?\"id\":\"([^\"]+)\".*", "$1");
      for (String scheme : List.of("light", "dark")) {
        browser.prefer(scheme);
        browser.go("#/");
        browser.awaitText("Busiest tunnels");
        assertThat(browser.barriers()).as("overview, %s", scheme).isEmpty();
        browser.picture("overview-" + scheme);
        browser.go("#/tunnels/" + id);
        browser.awaitText("127.0.0.1:" + client.getLocalPort());
        assertThat(browser.barriers()).as("tunnel, %s", scheme).isEmpty();
        browser.picture("tunnel-" + scheme);
        browser.press("127.0.0.1:" + client.getLocalPort(), "Ban");
        browser.awaitElement("dialog #ban-source");
        assertThat(browser.barriers()).as("question, %s", scheme).isEmpty();
        browser.picture("question-" + scheme);
        browser.type(Browser.Key.ESCAPE);
      }
      for (String list : LISTS) {
        browser.go("#/" + list);
        browser.awaitElement("nav.pager");
        assertThat(browser.barriers()).as(list).isEmpty();
      }
      browser.asPhone();
      for (String place : List.of("", "streams", "tunnels/" + id)) {
        browser.go("#/" + place);
        browser.awaitElement("main h1");
        assertThat(
                browser
                    .script("return document.documentElement.scrollWidth <= innerWidth")
                    .asBoolean())
            .as("as wide as the phone: " + place)
            .isTrue();
        assertThat(browser.barriers()).as("phone, %s", place).isEmpty();
        browser.picture("phone-" + (place.isEmpty() ? "overview" : place.replaceAll("/.*", "")));
      }
    } finally {
      browser.asDesk();
      browser.prefer("light");
    }
  }

  @Test
  void theThemeThatWasChosenHoldsAgainstTheSystems() {
    browser.prefer("dark");
    signedIn("reads");
    String dark = background();
    browser.script(
        """
        const theme = document.getElementById('theme');
        theme.value = 'light';
        theme.dispatchEvent(new Event('change'));
        """);
    assertThat(background()).isNotEqualTo(dark);
    browser.open(lab.dashboard());
    browser.awaitText("Open streams");
    assertThat(background()).isNotEqualTo(dark);
    browser.prefer("light");
  }

  private static String background() {
    return browser.script("return getComputedStyle(document.body).backgroundColor").asText();
  }

  @Test
  void theAgentShowsItsPartToo() throws Exception {
    browser.open(lab.agentDashboard());
    browser.awaitText("Tunnels registered");
    try (Socket client = lab.client()) {
      browser.go("#/streams");
      browser.awaitText("127.0.0.1:" + client.getLocalPort());
      browser.press("127.0.0.1:" + client.getLocalPort(), "Close");
      browser.click("dialog #confirm");
      assertThat(endOf(client)).isEqualTo("reset");
    }
    for (String list : List.of("links", "tunnels", "sessions", "events", "audit")) {
      browser.go("#/" + list);
      browser.awaitElement("nav.pager");
    }
    assertThat(browser.barriers()).isEmpty();
    browser.go("#/tunnels");
    browser.awaitText("registered");
    browser.script("document.querySelector('tbody a').click()");
    browser.awaitText("Leads to");
    browser.awaitText("Nobody is connected.");
  }

  @Test
  void theModulesDoWhatTheySay() {
    signedIn("reads");
    assertThat(
            browser.script(
                """
                const folder = document.querySelector('script').src.replace('app.js', '');
                const { EventParser } = await import(folder + 'sse.js');
                const { changed } = await import(folder + 'page.js');
                const { History } = await import(folder + 'history.js');
                const format = await import(folder + 'format.js');
                const router = await import(folder + 'router.js');
                const wrong = [];
                const check = (what, found, expected) => {
                  if (JSON.stringify(found) !== JSON.stringify(expected)) {
                    wrong.push(`${what}: ${JSON.stringify(found)}`);
                  }
                };
                const stream = ': hello\\n\\nretry: 1\\nevent: page\\r\\ndata: {"a":\\ndata: 1}\\n\\ndata\\n\\ndata: x\\n\\n';
                for (let size = 1; size <= stream.length; size++) {
                  const events = [];
                  const parser = new EventParser((event, data) => events.push([event, data]));
                  for (let at = 0; at < stream.length; at += size) {
                    parser.feed(stream.slice(at, at + size));
                  }
                  check(`pieces of ${size}`, events,
                    [['page', '{"a":\\n1}'], ['message', ''], ['message', 'x']]);
                }
                let refused = false;
                try {
                  const parser = new EventParser(() => {});
                  for (let i = 0; i < 5_000; i++) {
                    parser.feed('data: ' + 'x'.repeat(1_000) + '\\n');
                  }
                } catch {
                  refused = true;
                }
                check('an event without an end', refused, true);
                const page = { items: [{ id: 'a', n: 1 }, { id: 'b', n: 1 }], total: 2, unanswered: [] };
                check('change', changed(page, { changed: [{ id: 'a', n: 2 }], removed: [], total: 2, unanswered: [] }).items,
                  [{ id: 'a', n: 2 }, { id: 'b', n: 1 }]);
                check('order', changed(page, { changed: [{ id: 'c', n: 3 }], removed: ['a'], order: ['c', 'b'], total: 3, unanswered: ['x'] }),
                  { items: [{ id: 'c', n: 3 }, { id: 'b', n: 1 }], total: 3, unanswered: ['x'] });
                const history = new History();
                for (let i = 0; i < 1_000; i++) {
                  history.add(i * 1000, [i]);
                }
                check('history', [history.points.length, history.points[0].values[0]], [301, 699]);
                check('bytes', [0, 999, 1000, 1024, 1048576, 1e18, null].map(format.bytes),
                  ['0 B', '999 B', '1.0 KiB', '1.0 KiB', '1.0 MiB', '888 PiB', '–']);
                check('age', [0, 59, 60, 3600, 172800].map((it) => format.age('1970-01-01T00:00:00Z', it * 1000)),
                  ['0 s', '59 s', '1 min 0 s', '1 h 0 min', '2 d 0 h']);
                check('address', [format.address('::1', 7), format.address('a', 7), format.address('a', null)],
                  ['[::1]:7', 'a:7', '–']);
                check('host', ['[2001:db8::1]:7', '192.0.2.1:7'].map(format.hostOf), ['2001:db8::1', '192.0.2.1']);
                check('route', router.parse(router.link(['tunnels', 'a/b?%'], { q: '&=#', sort: '' })),
                  { steps: ['tunnels', 'a/b?%'], parameters: { q: '&=#' } });
                check('bad route', router.parse('#/%zz'), { steps: ['%zz'], parameters: {} });
                return wrong;
                """))
        .isEmpty();
  }
}
