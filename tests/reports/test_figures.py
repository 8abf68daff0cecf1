from dataclasses import replace

import pytest

from reports.figure_data import history_info, loss_curves_info
from reports.figures import draw_figures, draw_history, draw_loss_curves


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_every_plot_is_drawn(report):
    assert set(draw_figures(report)) == {"forecasts", "history", "loss_curves"}


def test_without_curves_the_other_plots_are_drawn(report):
    bare = tuple(replace(trial, attributes={}) for trial in report.study.trials)
    figures = draw_figures(replace(report, study=replace(report.study, trials=bare)))
    assert set(figures) == {"forecasts", "history"}


def test_states_differ_by_shape_as_well_as_by_colour(report):
    drawn = lines(draw_history(history_info(report)).axes[0])
    shapes = [drawn[name] for name in ("26 complete", "20 pruned (last value)", "1 failed")]
    assert len({line.get_marker() for line in shapes}) == 3
    assert len({line.get_markeredgecolor() for line in shapes}) == 3


def test_history_is_logarithmic_when_asked(report):
    history = history_info(report)
    for logarithmic, scale in ((True, "log"), (False, "linear")):
        axes = draw_history(replace(history, logarithmic=logarithmic)).axes[0]
        assert axes.get_yscale() == scale


def test_a_study_without_a_complete_trial_is_drawn(report):
    failed = tuple(replace(t, state="failed", value=None) for t in report.study.trials[:3])
    history = history_info(replace(report, study=replace(report.study, trials=failed)))
    assert draw_history(history).axes[0].get_title("left").startswith("None of 3 trials")


def test_the_best_epoch_is_marked_where_it_is(report):
    curves = loss_curves_info(report)
    axes = draw_loss_curves(curves).axes[0]
    mark = lines(axes)[f"best epoch ({curves.best_epoch})"]
    assert list(mark.get_xdata()) == [curves.best_epoch]
    assert list(mark.get_ydata()) == [min(curves.validation)]
    assert f"epoch {curves.best_epoch} of 18" in axes.get_title("left")


@pytest.mark.parametrize(("horizon", "panels"), [(1, 1), (24, 2)])
def test_several_steps_get_a_panel_of_errors(make_report, horizon, panels):
    figure = draw_figures(make_report(horizon=horizon, windows=60))["forecasts"]
    assert len(figure.axes) == panels
    expected = {"truth", "refitted model", "persistence", "seasonal naive", "ridge"}
    assert expected <= set(lines(figure.axes[0]))
    for axes in figure.axes[1:]:
        assert set(lines(axes)) == expected - {"truth"}


def test_titles_state_the_message(report_of):
    figure = draw_figures(report_of(3.0, ridge=2.0))["forecasts"]
    assert figure.axes[0].get_title("left").startswith("WORSE than ridge")


def test_a_target_whose_name_looks_like_mathematics_is_drawn(report, tmp_path):
    forecasts = replace(report.forecasts, targets=("price $ per $x_{",))
    figure = draw_figures(replace(report, forecasts=forecasts))["forecasts"]
    figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
