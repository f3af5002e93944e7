using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Myna.Boot.Tests;

/// <summary>A machine whose console is read and typed at.</summary>
internal sealed class Conversation : IDisposable
{
    private readonly Process _process;
    private readonly Timer _limit;
    private readonly StringBuilder _seen = new();
    private readonly Task<string> _errors;
    private int _from;

    /// <param name="arguments">The program's; a run takes fifteen minutes at most.</param>
    public Conversation(params string[] arguments) : this(TimeSpan.FromMinutes(15), arguments)
    {
    }

    /// <param name="limit">The longest that a run takes.</param>
    public Conversation(TimeSpan limit, params string[] arguments)
    {
        _process = MynaProgram.Start(arguments);
        _errors = _process.StandardError.ReadToEndAsync();
        _limit = new Timer(_ => _process.Kill(entireProcessTree: true), null, limit, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Reads on until a text has come that was not there at the previous call.</summary>
    /// <param name="pattern">A regular expression.</param>
    /// <param name="failure">A text behind which it will not come.</param>
    public Conversation Await(string pattern, string? failure = null)
    {
        var wanted = new Regex(pattern);
        while (true)
        {
            if (failure is not null)
                Assert.DoesNotContain(failure, _seen.ToString(_from, _seen.Length - _from), StringComparison.Ordinal);
            Match match = wanted.Match(_seen.ToString(_from, _seen.Length - _from));
            if (match.Success)
            {
                _from += match.Index + match.Length;
                return this;
            }
            if (_process.StandardOutput.Read() is not (int c and >= 0))
                throw new InvalidOperationException($"the machine ended before \"{pattern}\" came:\n{_seen}\n{_errors.Result}");
            _ = _seen.Append((char)c);
        }
    }

    public Conversation Send(string text)
    {
        _process.StandardInput.Write(text);
        _process.StandardInput.Flush();
        return this;
    }

    /// <summary>Waits for the end.</summary>
    /// <returns>The program's exit status.</returns>
    public int End()
    {
        while (_process.StandardOutput.Read() >= 0)
        {
        }
        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        _limit.Dispose();
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }
}
