//! The learning rate over the steps: warm-up, then one of four courses.

/// The course after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Course {
    /// At the peak, then straight down over the last `decay` of the steps. Hu et al. 2024 (MiniCPM), section 4.
    Wsd { decay: f64 },
    /// Half a cosine down to the floor. Loshchilov and Hutter 2017, equation 5.
    Cosine,
    /// Straight down to the floor.
    Linear,
    /// At the peak to the end.
    Constant,
}

/// The factor on every peak learning rate, by step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) course: Course,
    pub(crate) warmup: u64,
    pub(crate) steps: u64,
    /// The factor one step after the last.
    pub(crate) floor: f64,
}

impl Schedule {
    /// The factor of step `step`, counted from 1.
    pub(crate) fn factor(&self, step: u64) -> f64 {
        if step <= self.warmup {
            return step as f64 / self.warmup as f64;
        }
        // From 0 at step `first` to 1 one step after the last: no step is spent at a rate of 0.
        let after = |first: u64| {
            (step - first) as f64 / (self.steps + 1).saturating_sub(first).max(1) as f64
        };
        let down = match self.course {
            Course::Constant => 0.0,
            Course::Linear => after(self.warmup),
            Course::Cosine => 0.5 - 0.5 * (after(self.warmup) * std::f64::consts::PI).cos(),
            Course::Wsd { decay } => {
                let n_decay = (decay * self.steps as f64).round() as u64;
                let first = self.steps.saturating_sub(n_decay).max(self.warmup);
                if step > first { after(first) } else { 0.0 }
            }
        };
        1.0 - (1.0 - self.floor) * down.min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(course: Course, step: u64) -> f64 {
        Schedule { course, warmup: 10, steps: 109, floor: 0.1 }.factor(step)
    }

    #[test]
    fn every_course_warms_up_starts_at_the_peak_and_ends_where_it_should() {
        let wsd = Course::Wsd { decay: 0.5 };
        for course in [wsd, Course::Cosine, Course::Linear, Course::Constant] {
            assert_eq!((at(course, 1), at(course, 5), at(course, 10)), (0.1, 0.5, 1.0));
            let end = if course == Course::Constant { 1.0 } else { 0.1 };
            assert!((at(course, 110) - end).abs() < 1e-12, "{course:?}");
            assert!((1..109).all(|s| at(course, s + 1) <= at(course, s) || s < 10), "{course:?}");
        }
        assert_eq!((at(wsd, 54), at(wsd, 56) < 1.0), (1.0, true));
        assert!((at(Course::Cosine, 60) - 0.55).abs() < 1e-12);
        assert!((at(Course::Linear, 60) - 0.55).abs() < 1e-12);
    }
}
