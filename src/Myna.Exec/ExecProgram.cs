using System.Runtime.CompilerServices;
using Myna.Control.Gdb;
using Myna.Host;
using Myna.Host.User;
using Myna.Linux;
using Myna.Linux.Calls;
using Myna.Linux.Debugging;
using Myna.Linux.Loading;
using Myna.Linux.Threads;

namespace Myna.Exec;

/// <summary>
/// <c>myna exec PROGRAM</c>: a Linux program built for another processor, as a process of this host. Its exit status is the
/// program's; 126 and 127 say what a shell says with them, 125 that Myna itself could not.
/// </summary>
internal static class ExecProgram
{
    /// <summary>Runs the program on the calling thread, which must be the process's first.</summary>
    /// <param name="words">What follows "exec".</param>
    /// <returns>The exit status.</returns>
    /// <exception cref="UserException">Wrong usage, or a program that cannot be started.</exception>
    public static int Run(string[] words)
    {
        ExecOptions options = ExecOptions.Parse(words);
        if (options.Help)
            return Output.Result(ExecOptions.HelpText);
        if (options.Program == words.Length)
            throw new UserException("there is no program to run\nsee: myna exec --help", 2);
        try
        {
            return Run(options, words);
        }
        catch (LoadException e)
        {
            throw new UserException(e.Message, e.Status);
        }
    }

    /// <summary>Runs a program that the kernel has given to Myna to execute.</summary>
    /// <exception cref="UserException">A program that cannot be started.</exception>
    public static int RunForKernel()
    {
        List<string> words = ProgramStart.Arguments;
        try
        {
            // Without a way to start others: the kernel does it.
            return Run(new ExecOptions(), words[1], [words[2], .. words[3..]], InitialStrings.Environment(), null);
        }
        catch (LoadException e)
        {
            throw new UserException(e.Message, e.Status);
        }
    }

    private static int Run(ExecOptions options, string[] words)
    {
        if (!ProgramStart.IsNative && !RuntimeSettings.AreMade)
            throw new UserException($"cannot start anew: {RuntimeSettings.StartAnew()}");
        // The words as bytes: .NET has decoded its own copy.
        List<string> arguments = ProgramStart.Arguments[^(words.Length - options.Program)..];
        if (options.Directory is { } directory)
        {
            if (!Directory.Exists(directory))
                throw new UserException($"--cwd: there is no folder {directory}");
            Directory.SetCurrentDirectory(directory);
        }
        List<string> environment = EnvironmentOf(options);
        Sysroot? sysroot = options.Sysroot is { } root ? new Sysroot(root) : null;
        string path = Find(arguments[0], sysroot, environment);
        if (options.Argv0 is { } name)
            arguments[0] = GuestText.FromHost(name);
        Check(Loader.TargetOf(sysroot, path), options.Arch, GuestText.Show(path));
        return Run(options, path, arguments, environment, sysroot);
    }

    private static int Run(ExecOptions options, string path, List<string> arguments, List<string> environment, Sysroot? sysroot)
    {
        SystemCallTrace? trace = options.Trace ? new SystemCallTrace(2) : null;
        bool byKernel = ProgramStart.IsByKernel;
        int self = ProgramStart.IsNative && !byKernel ? Descriptors.OpenSelf() : -1;
        var process = new LinuxProcess(new ProgramOptions
        {
            Path = path,
            Arguments = arguments,
            Environment = environment,
            Sysroot = sysroot,
            Translate = options.Translate,
            Trace = trace,
            Log = static text => Output.Note("myna: " + text),
            Relaunch = byKernel ? [] : Relaunch(options),
            RelaunchDescriptor = self,
        });
        if (trace is not null)
            process.Descriptors.Hide(trace.Descriptor);
        if (self >= 0)
            process.Descriptors.Hide(self);
        if (options.Gdb is { } address)
            Debug(process, address);
        return GuestThread.RunMain(process, process.Image.Entry, process.Image.StackPointer, ProgramStart.IsNative && HostSignals.PipeWasIgnored);
    }

    // By itself, so that programs without a debugger do not load what it needs.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Debug(LinuxProcess process, string address)
    {
        var target = new ProcessTarget(process);
        try
        {
            var server = new GdbServer(target, address, static _ => "a program has no monitor: info, x and print show what there is\n", target.Keep);
            target.Ending += server.Dispose;
            process.Debugger = target;
            Output.Note($"myna: waiting for gdb: target remote {server.Address}");
        }
        catch (Exception e) when (e is FormatException or IOException)
        {
            throw new UserException($"--gdb: {e.Message}", 2);
        }
    }

    private static void Check(Target target, string? arch, string path)
    {
        if (arch is not null && Boards(arch) != target.Name)
            throw new UserException($"{path} is a program for {target.Name}, not for {arch}; leave --arch out or give the right one", 126);
        if (arch is null && target == Target.X64)
            throw new UserException($"{path} is a program for this host: start it without Myna\nor give --arch x86_64 to have it translated all the same", 126);
    }

    private static string Boards(string arch) => Myna.Machines.Boards.Canonical(arch) ?? (arch is "i486" or "i586" or "i686" or "x86" ? Target.I386.Name : arch);

    /// <summary>A name without a slash is looked for as a shell does, in the program's own PATH, then here.</summary>
    private static string Find(string name, Sysroot? sysroot, List<string> environment)
    {
        if (name.Contains('/', StringComparison.Ordinal) || File.Exists(GuestText.Show(name)))
            return name;
        using var scratch = new HostScratch(32 * 1024);
        string path = environment.FirstOrDefault(e => e.StartsWith("PATH=", StringComparison.Ordinal))?[5..] ?? "/usr/bin:/bin";
        string? ofHost = null;
        foreach (string folder in path.Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            scratch.Reset();
            string candidate = $"{folder}/{name}", translated = sysroot?.Translate(scratch, candidate) ?? candidate;
            if (!File.Exists(GuestText.Show(translated)))
                continue;
            // The sysroot's programs are meant, even behind folders of the host.
            if (sysroot is null || translated != candidate)
                return candidate;
            ofHost ??= candidate;
        }
        if (ofHost is not null)
            return ofHost;
        throw new UserException($"{GuestText.Show(name)}: there is no such program here or in PATH; give its path", 127);
    }

    private static List<string> EnvironmentOf(ExecOptions options)
    {
        List<string> environment = InitialStrings.Environment();
        var drop = new List<string>(options.Unset);
        drop.AddRange(RuntimeSettings.VariablesToDrop);
        drop.AddRange(options.Set.Select(s => s.Name));
        _ = environment.RemoveAll(e => drop.Any(d => e.StartsWith(GuestText.FromHost(d) + "=", StringComparison.Ordinal)));
        for (int i = 0; i < environment.Count; i++)
            environment[i] = RuntimeSettings.Unwrap(environment[i]);
        environment.AddRange(options.Set.Select(s => GuestText.FromHost($"{s.Name}={s.Value}")));
        return environment;
    }

    /// <summary>What starts another program as this one was started; its environment is complete already.</summary>
    private static List<string> Relaunch(ExecOptions options)
    {
        string host = Environment.ProcessPath ?? "/proc/self/exe";
        var words = new List<string> { host };
        if (!ProgramStart.IsNative)
            words.Add(Path.Combine(AppContext.BaseDirectory, "myna.dll"));
        words.Add("exec");
        if (options.Sysroot is { } sysroot)
            words.AddRange(["--sysroot", Path.GetFullPath(sysroot)]);
        if (options.Trace)
            words.Add("--strace");
        if (!options.Translate)
            words.AddRange(["--accel", "interp"]);
        return [.. words.Select(GuestText.FromHost)];
    }}
