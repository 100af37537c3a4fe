//! A script that has been read: its trial on samples, and its run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Map, Position, Scope};

use super::Fault;
use super::language::{CallView, EndedView, Fixed, FleetView, Seen, Snapshot, engine, fail};
use super::work::check_state;
use crate::form::build::Names;
use crate::form::diagnose::nearest;
use crate::kernel::chance::Chance;
use crate::kernel::time::{Span, Time};
use crate::routing::{Call, Fleet, Policy, Wants};
use crate::words::{Ended, Outcome};

/// A script that has been read. Whatever fails in any run is known to all copies of the program.
#[derive(Clone)]
pub struct Program(Arc<Read>);

struct Read {
    engine: Engine,
    ast: AST,
    learns: bool,
    trouble: Mutex<Trouble>,
}

/// The failures: their number and the earliest, so that it does not matter which thread comes first.
#[derive(Debug, Default)]
struct Trouble {
    times: u64,
    first: Option<(Time, String)>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("learns", &self.0.learns)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// Reads a script.
    ///
    /// # Errors
    /// If it is not a script, or defines no `choose(request, fleet)`.
    pub fn read(text: &str) -> Result<Program, Fault> {
        let engine = engine();
        let ast = engine
            .compile(text)
            .map_err(|error| fault(error.1, error.0.to_string()))?;
        if let Some(statement) = ast.statements().first() {
            let message = "only functions may stand here: nothing outside them would ever run";
            return Err(fault(statement.position(), message.into()));
        }
        let defines = |name: &str, parameters: usize| {
            ast.iter_functions()
                .any(|f| f.name == name && f.params.len() == parameters)
        };
        if !defines("choose", 2) {
            return Err(fault(
                Position::NONE,
                "it defines no `fn choose(request, fleet)`".into(),
            ));
        }
        // A function that nothing calls, of nearly the name of one that would be called, is a slip.
        let known = ["choose", "learn"];
        let is_called = |name: &str| text.matches(&format!("{name}(")).count() > 1;
        for f in ast
            .iter_functions()
            .filter(|f| !known.contains(&f.name) && !is_called(f.name))
        {
            if let Some(near) = nearest(f.name, known) {
                let message = format!("nothing calls `{}`: did you mean `{near}`?", f.name);
                return Err(fault(Position::NONE, message));
            }
        }
        let learns = defines("learn", 1);
        if !learns && ast.iter_functions().any(|f| f.name == "learn") {
            return Err(fault(
                Position::NONE,
                "`learn` takes one parameter: `fn learn(ended)`".into(),
            ));
        }
        Ok(Program(Arc::new(Read {
            engine,
            ast,
            learns,
            trouble: Mutex::default(),
        })))
    }

    /// The policy, after it has made some trial choices.
    pub(super) fn policy(&self, names: &Names<'_>) -> Result<Box<dyn Policy>, Fault> {
        let running = Running::new(self.clone(), Arc::new(Fixed::of(names)));
        running.rehearse(names)?;
        Ok(Box::new(running))
    }

    /// The number of failures, and the earliest in words; `None` without failures.
    pub fn trouble(&self) -> Option<(u64, String)> {
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.first.as_ref().map(|(_, how)| (trouble.times, how.clone()))
    }

    /// Forgets the failures so far, for a run that begins.
    pub fn forget_trouble(&self) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Trouble::default();
    }

    fn call(
        &self,
        state: &mut Dynamic,
        name: &str,
        arguments: impl rhai::FuncArgs,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let options = CallFnOptions::new().eval_ast(false).bind_this_ptr(state);
        self.0
            .engine
            .call_fn_with_options(options, &mut Scope::new(), &self.0.ast, name, arguments)
    }

    fn failed(&self, now: Time, origin: Time, error: Box<EvalAltResult>) {
        let fault = of(error);
        let place = match (fault.line, fault.column) {
            (0, _) => String::new(),
            (line, column) => format!(", in line {line}, column {column}"),
        };
        let how = format!("{:.3} s{place}: {}", now.seconds_after(origin), fault.message);
        let mut trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.times += 1;
        let this = (now, how);
        if trouble.first.as_ref().is_none_or(|first| this < *first) {
            trouble.first = Some(this);
        }
    }
}

fn fault(at: Position, message: String) -> Fault {
    Fault {
        line: at.line().unwrap_or(0),
        column: at.position().unwrap_or(0),
        message,
    }
}

/// The place and the text of the innermost error.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's errors, of which there may be more"
)]
fn of(error: Box<EvalAltResult>) -> Fault {
    let mut inner = error;
    let mut at = inner.position();
    while let EvalAltResult::ErrorInFunctionCall(_, _, deeper, _) = *inner {
        inner = deeper;
        at = if inner.position().is_none() {
            at
        } else {
            inner.position()
        };
    }
    inner.clear_position();
    let message = match &*inner {
        // The text that a script throws, or that one of our functions says.
        EvalAltResult::ErrorRuntime(said, _) if !said.is_unit() => said.to_string(),
        other => other.to_string(),
    };
    fault(at, message)
}

/// The policy of a script, as it runs.
#[derive(Debug)]
struct Running {
    program: Program,
    fixed: Arc<Fixed>,
    /// The value that the script calls `this`.
    state: Dynamic,
    snapshot: Arc<Snapshot>,
}

impl Running {
    fn new(program: Program, fixed: Arc<Fixed>) -> Running {
        Running {
            program,
            state: Map::new().into(),
            snapshot: Arc::new(Snapshot::new(Arc::clone(&fixed))),
            fixed,
        }
    }

    /// The snapshot on which the fleet is drawn: another one, if the script has kept the last.
    fn canvas(&mut self) -> &mut Snapshot {
        if Arc::get_mut(&mut self.snapshot).is_none() {
            self.snapshot = Arc::new(Snapshot::new(Arc::clone(&self.fixed)));
        }
        Arc::get_mut(&mut self.snapshot).expect("it is shared by no other")
    }

    fn ask(&mut self, call: &Call) -> Result<Option<usize>, Box<EvalAltResult>> {
        let arguments = (CallView::of(call, &self.fixed), FleetView(Arc::clone(&self.snapshot)));
        let answer = self.program.call(&mut self.state, "choose", arguments)?;
        let each = &self.snapshot.each;
        let chosen = if answer.is_unit() {
            return Ok(None);
        } else if let Ok(i) = answer.as_int() {
            let p = usize::try_from(i).ok().filter(|&p| p < each.len());
            p.ok_or_else(|| format!("choose returned {i}: providers are 0 to {}", each.len() - 1))
        } else if answer.is_string() {
            let name = answer.to_string();
            let p = self.fixed.provider(&name);
            p.ok_or_else(|| format!("choose returned \"{name}\": there is no provider of that name"))
        } else {
            let what = answer.type_name();
            Err(format!("choose returned a {what}: must be an index, a name or ()"))
        };
        match chosen {
            Ok(p) if each[p].open => Ok(Some(p)),
            Ok(p) => fail(format!(
                "choose returned {}, which is not open: ask fleet.open first",
                self.fixed.name(p)
            )),
            Err(message) => fail(message),
        }
    }

    fn tell(&mut self, ended: &Ended) -> Result<(), Box<EvalAltResult>> {
        let view = EndedView {
            fixed: Arc::clone(&self.fixed),
            ended: *ended,
        };
        self.program.call(&mut self.state, "learn", (view,)).map(drop)
    }

    /// Makes choices for calls of every class, first ones and retries, with providers idle, busy and closed, and hears of
    /// every way to end.
    fn rehearse(&self, names: &Names<'_>) -> Result<(), Fault> {
        let mut actor = Running::new(self.program.clone(), Arc::clone(&self.fixed));
        let providers = names.providers.len();
        let open: [fn(usize) -> bool; 4] = [|_| true, |p| p > 0, |p| p == 0, |_| false];
        let mut step = 0;
        for class in 0..names.classes.len().min(20) {
            for open in open {
                for (attempts, failure) in [
                    (0, Outcome::Success),
                    (1, Outcome::ServerError),
                    (2, Outcome::RateLimited),
                ] {
                    step += 1;
                    let canvas = actor.canvas();
                    canvas.now = f64::from(step);
                    for (p, seen) in canvas.each.iter_mut().enumerate() {
                        *seen = Seen {
                            open: open(p),
                            in_flight: step % 3 * (providers - p) as u32,
                            in_line: step % 2,
                        };
                    }
                    let request = Chance::new(1, 0).request(u64::from(step));
                    let call = Call {
                        user: step,
                        input: 100 * step,
                        max_output: (step % 2 == 0).then_some(500),
                        attempts,
                        last: (attempts > 0).then_some(step as usize % providers),
                        failure,
                        ..Call::new(class, request)
                    };
                    actor.ask(&call).map_err(of)?;
                    check_state(&actor.state).map_err(of)?;
                }
            }
            for (i, outcome) in Outcome::ALL.into_iter().enumerate().filter(|_| self.program.0.learns) {
                let mut ended = Ended::new(
                    self.fixed.origin + Span::from_seconds_f64(f64::from(step)),
                    i % providers,
                    outcome,
                );
                ended.class = class as u16;
                ended.took = Span::from_seconds_f64(1.0);
                if outcome == Outcome::Success {
                    ended.first_token = Span::from_seconds_f64(0.5);
                }
                actor.tell(&ended).map_err(of)?;
                check_state(&actor.state).map_err(of)?;
            }
        }
        Ok(())
    }
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.canvas().look(fleet);
        match self.ask(call) {
            Ok(chosen) => chosen,
            Err(error) => {
                self.program.failed(fleet.now(), self.fixed.origin, error);
                None
            }
        }
    }

    fn wants(&self) -> Wants {
        if self.program.0.learns {
            Wants::LEARNS
        } else {
            Wants::NOTHING
        }
    }

    fn learn(&mut self, ended: &Ended) {
        if let Err(error) = self.tell(ended) {
            self.program.failed(ended.now, self.fixed.origin, error);
        }
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(Running::new(self.program.clone(), Arc::clone(&self.fixed)))
    }
}
