/// The web page of the management port, and how it is served.
@NullMarked
package dev.penstock.management.dashboard;

import org.jspecify.annotations.NullMarked;
