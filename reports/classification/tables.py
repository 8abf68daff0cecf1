"""The table of test scores for the terminal."""

from rich.table import Table

from reports.classification.contents import ClassificationReport
from reports.wording import baseline_label, number

SHOWN = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced",
    "f1_macro": "F1 (macro)",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
}


def class_scores_table(report: ClassificationReport) -> Table:
    """Build the table of test scores: the refitted model, then every baseline."""
    table = Table(title="Test scores", title_justify="left")
    table.add_column("Classifier")
    for head in SHOWN.values():
        table.add_column(head, justify="right")
    rows = {"refitted model": report.test, "before the refit": report.train_only}
    rows |= {baseline_label(name): scores for name, scores in report.baselines.items()}
    for name, scores in rows.items():
        table.add_row(name, *(number(scores[metric]) for metric in SHOWN))
    return table
