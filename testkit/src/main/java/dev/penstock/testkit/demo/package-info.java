/// The demonstration: a gateway, an agent and two small services in one process.
@NullMarked
package dev.penstock.testkit.demo;

import org.jspecify.annotations.NullMarked;
