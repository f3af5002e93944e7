using Myna.Linux.Loading;

namespace Myna.Exec;

/// <summary><c>myna binfmt</c>: has the kernel start foreign programs by Myna (binfmt_misc), in chroots and containers too.</summary>
internal static class BinfmtCommand
{
    public const string HelpText = """
        Has the kernel start foreign programs by Myna, in chroots and containers too.

        Usage:
          myna binfmt install [ARCH...]   from now on, until the host is started anew
          myna binfmt status              what is installed
          myna binfmt remove [ARCH...]    no longer

        ARCH is riscv64 unless given. Installing and removing are root's affair.
        """;

    private static readonly string[] s_default = [Target.RiscV64.Name];

    /// <param name="words">What follows "binfmt".</param>
    /// <returns>The exit status.</returns>
    /// <exception cref="UserException">Wrong usage, or something is missing.</exception>
    public static int Run(string[] words)
    {
        if (words.Length == 0 || words.Any(w => w is "--help" or "-h" or "-?"))
            return Output.Result(HelpText);
        string[] names = words[1..];
        if (names.FirstOrDefault(n => n.StartsWith('-')) is { } option)
            throw new UserException($"'{option}' is no option of myna binfmt {words[0]}\nsee: myna binfmt --help", 2);
        return words[0] switch
        {
            "install" => Install(Targets(names)),
            "remove" => Remove(Targets(names.Length == 0 ? [.. Target.All.Select(t => t.Name)] : names, mayBeHosts: true)),
            "status" => Status(),
            _ => throw new UserException($"'{words[0]}' is no command of myna binfmt\nsee: myna binfmt --help", 2),
        };
    }

    private static Target[] Targets(string[] names, bool mayBeHosts = false)
    {
        var targets = new List<Target>();
        foreach (string name in names.Length == 0 ? s_default : names)
        {
            string canonical = Machines.Boards.Canonical(name) ?? name;
            Target target = Target.All.FirstOrDefault(t => t.Name == canonical)
                ?? throw new UserException($"programs for {name} cannot be run; known are {string.Join(", ", Target.All.Select(t => t.Name))}", 2);
            if (target == Target.X64 && !mayBeHosts)
                throw new UserException("x86_64 programs are this host's own: its kernel runs them, and Myna itself is one", 2);
            targets.Add(target);
        }
        return [.. targets];
    }

    private static int Install(Target[] targets)
    {
        string program = Environment.ProcessPath is { } path && ProgramStart.IsNative ? path
            : throw new UserException("the program of native code is not there, which chroots need\nsee what its build said: artifacts/exec-build.log", 1);
        // The name by which the program knows that the kernel has started it.
        string interpreter = Path.Combine(Path.GetDirectoryName(program)!, ProgramStart.KernelName);
        if (new FileInfo(interpreter).LinkTarget != Path.GetFileName(program))
        {
            File.Delete(interpreter);
            File.CreateSymbolicLink(interpreter, Path.GetFileName(program));
        }
        BinfmtRegistry.Mount();
        foreach (Target target in targets)
        {
            _ = BinfmtRegistry.Remove(target);
            BinfmtRegistry.Register(target, interpreter);
            Output.Line($"{target.Name} programs are started by {interpreter}");
        }
        return 0;
    }

    private static int Remove(Target[] targets)
    {
        BinfmtRegistry.Mount();
        foreach (Target target in targets)
        {
            if (BinfmtRegistry.Remove(target))
                Output.Line($"{target.Name} programs are no longer started by Myna");
        }
        return 0;
    }

    private static int Status()
    {
        foreach (Target target in Target.All.Where(t => t != Target.X64))
            Output.Line($"{target.Name}: {BinfmtRegistry.Describe(target)}");
        return 0;
    }
}
