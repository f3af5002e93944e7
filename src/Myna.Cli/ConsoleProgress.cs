using Myna.Host;
using Myna.Machines.Guests;
using Spectre.Console;

namespace Myna.Cli;

/// <summary>Shows how the guest is fetched: a bar on a terminal, plain lines otherwise. On standard error.</summary>
internal sealed class ConsoleProgress : IGuestProgress
{
    private readonly IAnsiConsole? _terminal;
    private int _shown = -1;

    public ConsoleProgress()
    {
        // Made only when it is shown: most runs find the guest in the cache.
        if (Terminal.ErrorIsTerminal)
            _terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(new StreamWriter(StandardStreams.OpenError()) { AutoFlush = true }) });
    }

    public void Step(string what)
    {
        if (_terminal is null)
            Output.Note("myna: " + what);
        else
            _terminal.MarkupLineInterpolated($"[grey]myna:[/] {what}");
        _shown = -1;
    }

    public void Bytes(long done, long total)
    {
        if (total <= 0)
            return;
        int percent = (int)(done * 100 / total);
        if (_terminal is not null)
        {
            int filled = percent * 40 / 100;
            _terminal.Markup($"\r  [green]{new string('━', filled)}[/][grey]{new string('━', 40 - filled)}[/] {percent,3} %{(percent == 100 ? "\n" : "")}");
        }
        else if (percent / 25 > _shown / 25 || _shown < 0)
        {
            Output.Note($"myna:   {percent} % of {total / 1_000_000} MB");
        }
        _shown = percent;
    }
}
