//! The DIMSE messages that have begun in one direction and not ended, one for each presentation
//! context. Nearly always there is one at most.

use super::command::{Command, Said};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Messages(Vec<Message>);

#[derive(Debug)]
struct Message {
    context: u8,
    /// Until the command set has ended; then the data set comes.
    command: Option<Box<Command>>,
}

impl Messages {
    /// Whether no message is open.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A fragment begins. Answers whether it can: contexts have odd numbers, so that there are 128
    /// at most, and a data set comes behind its command set.
    pub(super) fn fragment_begins(&mut self, context: u8, command: bool) -> bool {
        if context.is_multiple_of(2) {
            return false;
        }
        match self.find(context) {
            Some(message) => message.command.is_some() == command,
            None if command => {
                self.0.push(Message {
                    context,
                    command: Some(Box::default()),
                });
                true
            }
            None => false,
        }
    }

    /// Takes bytes of a command set.
    pub(super) fn command(&mut self, context: u8, bytes: &[u8]) {
        if let Some(command) = self.find(context).and_then(|it| it.command.as_mut()) {
            command.take(bytes);
        }
    }

    /// The last fragment of a command set or of a data set has ended. Answers what a command set
    /// said, and `None` when it was none.
    pub(super) fn part_ended(&mut self, context: u8) -> Option<Option<Said>> {
        let message = self.find(context)?;
        let Some(command) = message.command.take() else {
            self.0.retain(|message| message.context != context);
            return Some(None);
        };
        let (said, data_set_follows) = command.end()?;
        if !data_set_follows {
            self.0.retain(|message| message.context != context);
        }
        Some(Some(said))
    }

    fn find(&mut self, context: u8) -> Option<&mut Message> {
        self.0.iter_mut().find(|message| message.context == context)
    }
}
