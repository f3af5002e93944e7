using Microsoft.Win32.SafeHandles;

namespace Myna.Cpu.Debugging;

/// <summary>What a debugger drives: a machine or a program. All-stop: threads run together and stop together.</summary>
public interface IDebugTarget
{
    /// <summary>The threads now, at least one until the target ends.</summary>
    IReadOnlyList<DebugThread> Threads { get; }

    /// <summary>Completes when the target has ended.</summary>
    Task<TargetExit> Ended { get; }

    /// <summary>Whether the target's time passes.</summary>
    bool IsRunning { get; }

    /// <summary>Whether it is a program: signals mean something to it, and what it reads and executes are files.</summary>
    bool IsProgram => false;

    /// <summary>A thread stopped by itself. Raised on any thread; without a listener nothing stops by itself.</summary>
    event Action<TargetStop>? Stopped;

    /// <summary>Stops every thread and the target's time; returns when they stand still. Harmless when they do already.</summary>
    void Pause();

    /// <summary>Takes a thread that stands inside a system call out of it, in front of the call's instruction, so that its registers can be changed. Paused.</summary>
    void Settle(DebugThread thread)
    {
    }

    /// <summary>Lets time pass and threads run or execute one instruction; those that are not named stay.</summary>
    /// <returns>A stop that has happened already, or null when one will be reported.</returns>
    TargetStop? Resume(IReadOnlyList<ThreadResume> threads);

    /// <summary>Sets or removes a breakpoint for all threads, those to come included. Paused.</summary>
    void SetBreakpoint(ulong address, bool on);

    /// <inheritdoc cref="SetBreakpoint"/>
    void SetWatchpoint(ulong start, ulong length, WatchKind kind, bool on);

    /// <summary>Power-on state again; stays paused if it was.</summary>
    void Reset()
    {
    }

    /// <summary>Ends the target.</summary>
    void Kill();

    /// <summary>Linux's numbers of the signals that a program gets without stopping.</summary>
    void Pass(IReadOnlySet<int> signals)
    {
    }

    /// <summary>Data that gdb's qXfer names: "auxv", "exec-file", "siginfo" of a thread.</summary>
    /// <returns>Null when there are none.</returns>
    byte[]? Read(string name, DebugThread thread) => null;

    /// <summary>The host's name of a file that the target knows by its own.</summary>
    string? FilePath(string path) => null;

    /// <summary>Opens such a file for reading.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not.</exception>
    SafeFileHandle OpenFile(string path) => File.OpenHandle(FilePath(path) ?? path);
}
