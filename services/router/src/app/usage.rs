//! What an attempt is expected to use, and what it is taken to have used in the end.

use keyward_catalog::{Modality, Model};
use keyward_money::{MeasuredUsage, Usage};
use keyward_proto::metering::v1::UsageSource;

use super::attempt::{Attempt, Ending};
use super::dispatch::Dispatch;
use crate::domain::estimate::{
    self, AnswerBound, AnswerLimits, BYTES_PER_TOKEN, BYTES_PER_TOKEN_HELD, Expected, Known,
    OutputKind, sandbox, within_context,
};
use crate::domain::form::Form;
use crate::domain::plan::Candidate;
use crate::domain::providers::SANDBOX;
use crate::domain::sound::Sound;
use crate::domain::stream::{DeliveredText, StreamWatch, delivered_texts};
use crate::domain::usage;

impl Dispatch {
    /// The most that a candidate is expected to use.
    pub(super) async fn expected(&self, candidate: &Candidate) -> Expected {
        let asked = self.request.max_output_tokens();
        let form = self.request.form();
        if *candidate.provider == *SANDBOX {
            let messages = self.request.messages();
            let usage = match form {
                Form::Embeddings => sandbox::foreseen_embeddings(messages),
                _ => sandbox::foreseen(messages, &candidate.upstream_model, asked),
            };
            let answer = AnswerBound::exactly(usage.output_tokens);
            return Expected { usage, answer };
        }
        let prompt = self.prompt(candidate, BYTES_PER_TOKEN_HELD).await;
        if !form.makes_text() {
            let units = self.request.units();
            let made = prompt.saturating_add(units);
            let usage = if form.only_counts() {
                Usage::default()
            } else {
                made
            };
            let answer = AnswerBound::exactly(0);
            return Expected { usage, answer };
        }
        let model = self.limits_of(candidate);
        let limits = AnswerLimits {
            asked,
            model_output_tokens: model.output_tokens,
            model_context_tokens: model.context_tokens,
            expected: self.core.lengths.expected(&candidate.model),
            choices: self.request.choices(),
        };
        let answer = limits.bound(self.output_kind(candidate, &prompt));
        Expected::new(prompt, answer)
    }

    /// The tokens of the prompt as a candidate counts them.
    async fn prompt(&self, candidate: &Candidate, bytes_per_token: u64) -> Usage {
        let text = self.request.prompt_text();
        let tokens = &self.core.tokens;
        let prompt = tokens.of_prompt(text, &candidate.model, bytes_per_token);
        within_context(prompt.await, self.limits_of(candidate).context_tokens)
    }

    fn limits_of(&self, candidate: &Candidate) -> Limits {
        let catalog = self.core.catalog.current();
        let model = catalog.resolve(&candidate.model);
        model.map_or_else(Limits::default, Limits::of)
    }

    /// At the prices of the tier and of the length that are asked for.
    fn output_kind(&self, candidate: &Candidate, prompt: &Usage) -> OutputKind {
        let catalog = self.core.catalog.current();
        let Some(prices) = catalog.prices(&candidate.provider, &candidate.model) else {
            return OutputKind::Text;
        };
        let tier = self.asked_tier(candidate);
        let rates = prices.rates_for(prompt.prompt_tokens(), &tier);
        let model = catalog.resolve(&candidate.model);
        let makes_images =
            model.is_some_and(|model| model.output_modalities.contains(&Modality::Image));
        estimate::output(&rates, self.request.asks_audio(), makes_images)
    }

    /// The service tier at whose prices a candidate is asked, or the class of the images that it is
    /// asked for; empty for the usual prices.
    pub(super) fn asked_tier(&self, candidate: &Candidate) -> String {
        let tier = self.request.service_tier().map(str::to_owned);
        tier.unwrap_or_else(|| self.image_class(candidate))
    }

    /// The service tier that a provider says it served in, or the class of the images that it made:
    /// what was asked for, since it makes nothing else.
    pub(super) fn served_tier(&self, candidate: &Candidate, told: &str) -> String {
        match told {
            "" => self.image_class(candidate),
            told => told.to_owned(),
        }
    }

    fn image_class(&self, candidate: &Candidate) -> String {
        let catalog = self.core.catalog.current();
        let prices = catalog.prices(&candidate.provider, &candidate.model);
        prices.map_or_else(String::new, |prices| self.request.image_class(prices))
    }

    /// What a stream has used, as it ended.
    pub(super) async fn used_by_stream(
        &self,
        candidate: &Candidate,
        watch: &StreamWatch,
    ) -> (MeasuredUsage, UsageSource) {
        let (reported, is_final) = (watch.usage(), watch.is_whole());
        if reported.is_none() && *candidate.provider == *SANDBOX {
            let usage = sandbox::delivered(self.request.messages(), watch.text().chunks());
            return (measured(usage), UsageSource::Estimated);
        }
        let prompt = match reported {
            Some(_) => Usage::default(),
            None => self.prompt(candidate, BYTES_PER_TOKEN).await,
        };
        let delivered = match reported {
            Some(_) if is_final => 0,
            _ => self.delivered(candidate, watch.text()).await,
        };
        estimate::known(&Known {
            reported,
            is_final,
            is_unreadable: watch.usage_unreadable(),
            prompt,
            delivered,
            is_opening: watch.text().is_uncounted(),
        })
    }

    /// What a stream has used by now, with what no report has counted taken by its bytes: quick, for
    /// what is written down while it goes on.
    pub(super) fn used_so_far(&self, candidate: &Candidate, watch: &StreamWatch) -> Usage {
        let text = watch.text();
        let reported = watch.usage();
        if reported.is_none() && *candidate.provider == *SANDBOX {
            return sandbox::delivered(self.request.messages(), text.chunks());
        }
        let (kept, beyond) = text.uncounted();
        let reported = reported.map(|reported| (reported, text.is_uncounted()));
        self.used_by_bytes(candidate, reported, kept.len() + beyond)
    }

    /// What was used by an answer of which so many bytes were delivered since the provider reported,
    /// which it may have done before all content; or in all where it did not.
    pub(super) fn used_by_bytes(
        &self,
        candidate: &Candidate,
        reported: Option<(MeasuredUsage, bool)>,
        bytes: usize,
    ) -> Usage {
        let prompt = self.request.prompt_text().by_bytes(BYTES_PER_TOKEN);
        let prompt = within_context(prompt, self.limits_of(candidate).context_tokens);
        let (measured, _) = estimate::known(&Known {
            reported: reported.map(|(reported, _)| reported),
            is_final: false,
            is_unreadable: false,
            prompt: prompt.saturating_add(self.units()),
            delivered: (bytes as u64).div_ceil(BYTES_PER_TOKEN),
            is_opening: reported.is_none_or(|(_, is_opening)| is_opening),
        });
        measured.usage
    }

    /// The tokens of what was delivered and not reported; one at least where anything was.
    async fn delivered(&self, candidate: &Candidate, text: &DeliveredText) -> u64 {
        let (kept, beyond) = text.uncounted();
        let kept = estimate::text_of(kept);
        let tokens = &self.core.tokens;
        let kept = tokens.of_text(kept, &candidate.model, BYTES_PER_TOKEN);
        let tokens = kept.await + (beyond as u64).div_ceil(BYTES_PER_TOKEN);
        match text.is_uncounted() {
            true => tokens.max(text.chunks().min(1)),
            false => tokens,
        }
    }

    /// What a plain answer has used.
    pub(super) async fn used_by_answer(
        &self,
        attempt: &Attempt,
        body: &[u8],
    ) -> (MeasuredUsage, UsageSource) {
        let (candidate, form) = (&attempt.candidate, attempt.form());
        if let Some(reported) = usage::read(form, body) {
            return (reported, UsageSource::Reported);
        }
        if !form.makes_text() {
            return self.estimated(candidate, 0).await;
        }
        let mut text = Vec::new();
        delivered_texts(form, body).for_each(|piece| text.extend_from_slice(piece));
        let text = estimate::text_of(&text);
        let tokens = &self.core.tokens;
        let delivered = tokens.of_text(text, &candidate.model, BYTES_PER_TOKEN);
        self.estimated(candidate, delivered.await).await
    }

    /// What an answer of so many tokens has used of which the provider said nothing.
    pub(super) async fn estimated(
        &self,
        candidate: &Candidate,
        delivered: u64,
    ) -> (MeasuredUsage, UsageSource) {
        self.estimated_with(candidate, delivered, self.units())
            .await
    }

    /// What a sound has used of which the provider said nothing, as long as it became.
    pub(super) async fn estimated_sound(
        &self,
        candidate: &Candidate,
        sound: &Sound<'_>,
    ) -> (MeasuredUsage, UsageSource) {
        self.estimated_with(candidate, 0, self.units_of(sound))
            .await
    }

    /// What was asked for, and so much of sound.
    fn units_of(&self, sound: &Sound<'_>) -> Usage {
        Usage {
            audio_ms: sound.milliseconds(),
            ..self.units()
        }
    }

    async fn estimated_with(
        &self,
        candidate: &Candidate,
        delivered: u64,
        units: Usage,
    ) -> (MeasuredUsage, UsageSource) {
        let prompt = self.prompt(candidate, BYTES_PER_TOKEN).await;
        estimate::known(&Known {
            reported: None,
            is_final: true,
            is_unreadable: false,
            prompt: prompt.saturating_add(units),
            delivered,
            is_opening: true,
        })
    }

    /// What was asked for that is not paid for by tokens, where nobody says what was made. Of what
    /// tokens an image has, only a provider can tell.
    fn units(&self) -> Usage {
        self.request.units().without_output()
    }

    /// Remembers how long a whole answer was, and how fast it came. What a key's owner runs itself says nothing of others'
    /// answers.
    pub(super) fn learn(&self, attempt: &Attempt, ending: &Ending) {
        let candidate = &attempt.candidate;
        if candidate.base_url().is_some() {
            return;
        }
        let run = attempt.run(self.request.is_stream(), ending);
        let health = &self.core.health;
        health.ran(&candidate.provider, &candidate.model, &run);
        if ending.source == UsageSource::Reported {
            let choices = self.request.choices();
            let lengths = &self.core.lengths;
            lengths.note(&candidate.model, &ending.usage(), choices);
        }
    }
}

impl Dispatch {
    /// Remembers that an answer took at least so long: those that were not waited for are the slow
    /// ones, and without them every model would look faster than it is.
    pub(super) fn waited_for(&self, attempt: &Attempt) {
        let candidate = &attempt.candidate;
        if candidate.base_url().is_none() {
            let streamed = self.request.is_stream();
            let (health, took) = (&self.core.health, attempt.started.elapsed());
            health.waited(&candidate.provider, &candidate.model, streamed, took);
        }
    }
}

/// What the catalogue says that a model takes and gives.
#[derive(Debug, Clone, Copy, Default)]
struct Limits {
    output_tokens: Option<i64>,
    context_tokens: Option<i64>,
}

impl Limits {
    fn of(model: &Model) -> Self {
        Self {
            output_tokens: model.max_output_tokens,
            context_tokens: model.context_tokens,
        }
    }
}

fn measured(usage: Usage) -> MeasuredUsage {
    MeasuredUsage {
        usage,
        inconsistent: false,
    }
}
