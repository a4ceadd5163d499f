//! What a model call is to ask for, and what happens where its model has no price.

use super::amounts::Ask;
use crate::cost::{Cost, is_priced, price};
use crate::usage::Usage;
use crate::vocab::Provider;
use std::fmt;

/// What to do about a model without a price where money is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unpriced {
    /// It is refused: what it would cost nobody knows.
    #[default]
    Refuse,
    /// It is admitted by its tokens alone.
    CountTokens,
    /// The same, and it is told once a model.
    Warn,
}

/// A model has no price, money is limited, and the policy is to refuse.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnpricedModel {
    /// The model.
    pub model: String,
}

impl fmt::Display for UnpricedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.model.chars().filter(|letter| !letter.is_control()).take(100);
        write!(f, "the model {} has no price, and the money is limited", letters.collect::<String>())
    }
}

impl std::error::Error for UnpricedModel {}

/// What a call of `model` asks for that is expected to use `estimate`. `money_limited` says whether money is
/// limited anywhere above.
///
/// Money is asked for as far as the estimate has a price. What is not known of the estimate is asked for as an
/// unknown amount: it is admitted as long as anything is left.
///
/// # Errors
/// The model has no price and `unpriced` is to refuse.
pub fn ask_for_call(
    provider: Option<&Provider>,
    model: &str,
    estimate: &Usage,
    money_limited: bool,
    unpriced: Unpriced,
) -> Result<Ask, UnpricedModel> {
    let tokens = estimate.input().unwrap_or(0).saturating_add(estimate.output().unwrap_or(0));
    let has_price = is_priced(provider, model);
    if money_limited && !has_price && unpriced == Unpriced::Refuse {
        return Err(UnpricedModel { model: model.to_owned() });
    }
    let nano_usd = match price(provider, model, estimate) {
        Cost::Known { nano_usd, .. } => Some(nano_usd),
        Cost::Incomplete => Some(0),
        Cost::Unpriced { .. } => None,
    };
    Ok(Ask { tokens: Some(tokens), nano_usd, tool_calls: None })
}
