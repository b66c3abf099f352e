/// What an agent answers to its operators, and what it does for them.
@NullMarked
package dev.penstock.agent.manage;

import org.jspecify.annotations.NullMarked;
