using Myna.Host.User;

namespace Myna.Linux.Signals;

/// <summary>What a guest wants done with a signal (sigaction(2)).</summary>
public struct SignalAction
{
    public const ulong NoChildStop = 1, NoChildWait = 2, SigInfo = 4, OnStack = 0x0800_0000, Restart = 0x1000_0000, NoDefer = 0x4000_0000,
        ResetHandler = 0x8000_0000;

    /// <summary>Handlers that are none.</summary>
    public const ulong Default = 0, Ignore = 1;

    public ulong Handler, Flags, Restorer, Mask;
}

/// <summary>The actions of a process; the host's kernel gets what it needs to know of them.</summary>
public sealed class SignalActions
{
    private const int SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19, SIGKILL = 9, SIGURG = 23, SIGWINCH = 28, SIGPIPE = 13, SIGTSTP = 20, SIGTTIN = 21, SIGTTOU = 22;
    private readonly SignalAction[] _actions = new SignalAction[SignalNumbers.Count + 1];
    private readonly Lock _lock = new();

    /// <summary>A debugger is to see signals that end the program before they do. Set it before <see cref="Inherit"/>.</summary>
    internal bool IsTraced { get; set; }

    /// <summary>Takes over what the process inherited; the runtime's own handlers go.</summary>
    /// <param name="pipeIgnored">SIGPIPE was ignored before the runtime started, which hides it.</param>
    public void Inherit(bool pipeIgnored)
    {
        for (int signal = 1; signal <= SignalNumbers.Count; signal++)
        {
            int host = SignalNumbers.ToHost(signal);
            if (signal is SIGKILL or SIGSTOP || host == HostSignals.Runtime)
                continue;
            bool ignored = host == SIGPIPE ? pipeIgnored : !HostSignals.IsSynchronous(host) && HostSignals.GetDisposition(host) == SignalDisposition.Ignore;
            _actions[signal].Handler = ignored ? SignalAction.Ignore : SignalAction.Default;
            HostSignals.SetDisposition(host, ignored ? SignalDisposition.Ignore : OfDefault(signal));
        }
    }

    public SignalAction Get(int signal)
    {
        lock (_lock)
            return _actions[signal];
    }

    /// <returns>0 or -errno.</returns>
    public long Set(int signal, in SignalAction action)
    {
        lock (_lock)
        {
            _actions[signal] = action;
            SignalDisposition disposition = action.Handler switch
            {
                SignalAction.Default => OfDefault(signal),
                SignalAction.Ignore => SignalDisposition.Ignore,
                _ => SignalDisposition.Record,
            };
            return HostSignals.SetDisposition(SignalNumbers.ToHost(signal), disposition, action.Flags & (SignalAction.NoChildStop | SignalAction.NoChildWait));
        }
    }

    private SignalDisposition OfDefault(int signal)
        => IsTraced && !IsIgnoredByDefault(signal) && signal is not (SIGKILL or SIGSTOP or SIGTSTP or SIGTTIN or SIGTTOU) ? SignalDisposition.Record : SignalDisposition.Default;

    /// <summary>All handlers become the default (CLONE_CLEAR_SIGHAND); what is ignored stays so.</summary>
    public void Clear()
    {
        for (int signal = 1; signal <= SignalNumbers.Count; signal++)
        {
            if (Get(signal).Handler > SignalAction.Ignore)
                Set(signal, default);
        }
    }

    /// <summary>The action for a signal that is delivered now; one with SA_RESETHAND is used up.</summary>
    public SignalAction Take(int signal)
    {
        SignalAction action = Get(signal);
        // The handler alone is forgotten, not the flags (kernel/signal.c, get_signal).
        if (action.Handler > SignalAction.Ignore && (action.Flags & SignalAction.ResetHandler) != 0)
            Set(signal, action with { Handler = SignalAction.Default });
        return action;
    }

    /// <summary>Whether the default action is to do nothing.</summary>
    public static bool IsIgnoredByDefault(int signal) => signal is SIGCHLD or SIGCONT or SIGURG or SIGWINCH;
}
