using Myna.Host;
using Myna.Linux.Memory;
using static Myna.Linux.Errno;

namespace Myna.Linux.Loading;

/// <summary>What execve(2) does with a file, up to the program's first instruction.</summary>
public static class Loader
{
    /// <summary>Interpreters of interpreters (execve(2), "Interpreter scripts").</summary>
    private const int ScriptDepth = 5;
    private const ulong StackGuard = 1 << 20;
    /// <summary>Where a position-independent program lies when it has an interpreter: far from libraries, as Linux has it.</summary>
    private const ulong ProgramBase = 0x2aaa_aaaa_a000, NarrowProgramBase = 0x5655_5000;

    /// <summary>Finds out what a file is executed as, scripts' interpreters followed, and whether it is there at all.</summary>
    /// <exception cref="LoadException">It cannot be executed.</exception>
    public static Target TargetOf(Sysroot? sysroot, string path)
    {
        using var scratch = new HostScratch(32 * 1024);
        string name = path;
        for (int depth = 0; depth <= ScriptDepth; depth++)
        {
            using HostFile file = HostFile.Open(sysroot?.Translate(scratch, name) ?? name, GuestText.Show(name));
            if (Script.Parse(file.Read(0, 256)) is not { } script)
                return ElfImage.Parse(file, GuestText.Show(name)).Target;
            name = script.Interpreter;
            scratch.Reset();
        }
        throw new LoadException($"{GuestText.Show(path)}: its interpreters are scripts of scripts, too many of them", ELOOP);
    }

    /// <summary>Loads a program into an empty address space.</summary>
    /// <param name="path">As the guest names it; bytes as in GuestText, like all strings here.</param>
    /// <param name="arguments">argv, with argv[0].</param>
    /// <param name="capabilities">AT_HWCAP and AT_HWCAP2.</param>
    /// <param name="mapVdso">Called once the target is known, to map a vDSO: AT_SYSINFO_EHDR, or 0.</param>
    /// <exception cref="LoadException">It cannot be loaded.</exception>
    public static LoadedImage Load(
        AddressSpace space, Sysroot? sysroot, string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment,
        Func<Target, (ulong First, ulong Second)> capabilities, Func<Target, ulong>? mapVdso = null)
    {
        using var scratch = new HostScratch(32 * 1024);
        List<string> argv = [.. arguments];
        if (argv.Count == 0)
            argv.Add("");
        string name = path;
        HostFile file = HostFile.Open(sysroot?.Translate(scratch, name) ?? name, GuestText.Show(name));
        try
        {
            for (int depth = 0; Script.Parse(file.Read(0, 256)) is { } script; depth++)
            {
                if (depth == ScriptDepth)
                    throw new LoadException($"{GuestText.Show(path)}: its interpreters are scripts of scripts, too many of them", ELOOP);
                argv[0] = name;
                argv.InsertRange(0, script.Argument is null ? [script.Interpreter] : [script.Interpreter, script.Argument]);
                name = script.Interpreter;
                file.Dispose();
                scratch.Reset();
                file = OpenInterpreter(scratch, sysroot, name, $"the interpreter {GuestText.Show(name)} of the script {GuestText.Show(path)}");
            }
            return LoadElf(space, sysroot, scratch, file, name, argv, environment, capabilities, mapVdso);
        }
        finally
        {
            file.Dispose();
        }
    }

    private static LoadedImage LoadElf(
        AddressSpace space, Sysroot? sysroot, HostScratch scratch, HostFile file, string name, List<string> argv, IReadOnlyList<string> environment,
        Func<Target, (ulong First, ulong Second)> capabilities, Func<Target, ulong>? mapVdso)
    {
        string shown = GuestText.Show(name);
        ElfImage program = ElfImage.Parse(file, shown);
        Target target = program.Target;
        ulong programBase = ElfMapper.Map(space, program, file, target.Is64Bit ? ProgramBase : NarrowProgramBase);
        ulong entry = program.Entry + programBase, interpreterBase = 0;
        if (program.Interpreter is { } interpreter)
        {
            scratch.Reset();
            string interpreterShown = GuestText.Show(interpreter);
            using HostFile loader = OpenInterpreter(scratch, sysroot, interpreter, $"the dynamic loader {interpreterShown} of {shown}");
            ElfImage image = ElfImage.Parse(loader, interpreterShown);
            if (image.Target != target)
                throw new LoadException($"the dynamic loader {interpreterShown} is built for {image.Target.Name}, {shown} for {target.Name}\ngive --sysroot the root of a {target.Name} system", ENOEXEC);
            interpreterBase = ElfMapper.Map(space, image, loader, 0);
            entry = image.Entry + interpreterBase;
        }
        space.StartHeap(program.High + programBase);

        ulong stackSize = ResourceLimits.StackSize();
        long stack = space.Map(0, stackSize + StackGuard, Protection.None, MapFlags.Private | MapFlags.Anonymous | MapFlags.NoReserve | MapFlags.Stack);
        if (stack < 0)
            throw new LoadException($"there is no room for a stack of {stackSize} bytes ({Name((int)-stack)})", (int)-stack);
        ulong low = (ulong)stack + StackGuard, top = low + stackSize;
        Protection rights = Protection.Read | Protection.Write | (program.ExecutableStack ? Protection.Execute : 0);
        _ = space.Protect(low, stackSize, rights);

        (ulong hwcap, ulong hwcap2) = capabilities(target);
        var auxiliary = new List<(AuxiliaryType, ulong)>
        {
            (AuxiliaryType.HardwareCapabilities, hwcap),
            (AuxiliaryType.PageSize, AddressSpace.PageSize),
            (AuxiliaryType.ClockTick, 100),
            (AuxiliaryType.ProgramHeaders, program.HeaderAddress == 0 ? 0 : program.HeaderAddress + programBase),
            (AuxiliaryType.ProgramHeaderSize, (ulong)program.HeaderSize),
            (AuxiliaryType.ProgramHeaderCount, (ulong)program.HeaderCount),
            (AuxiliaryType.Base, interpreterBase),
            (AuxiliaryType.Flags, 0),
            (AuxiliaryType.Entry, program.Entry + programBase),
            (AuxiliaryType.Uid, (ulong)HostSyscall.Invoke(102)),
            (AuxiliaryType.Euid, (ulong)HostSyscall.Invoke(107)),
            (AuxiliaryType.Gid, (ulong)HostSyscall.Invoke(104)),
            (AuxiliaryType.Egid, (ulong)HostSyscall.Invoke(108)),
            (AuxiliaryType.Secure, 0),
            (AuxiliaryType.HardwareCapabilities2, hwcap2),
        };
        ulong vdso = mapVdso?.Invoke(target) ?? 0;
        if (vdso != 0)
            auxiliary.Insert(0, (AuxiliaryType.SysinfoHeader, vdso));
        ulong entryPage = target.Abi == AbiKind.I386 ? Abis.I386EntryPage.Map(space) : 0;
        if (entryPage != 0)
            auxiliary.Insert(0, (AuxiliaryType.Sysinfo, entryPage + Abis.I386EntryPage.VSyscall));
        InitialStack.Contents contents = InitialStack.Build(top, stackSize, target, argv, environment, name, auxiliary);
        return new LoadedImage(target, entry, Absolute(name), file.Path, programBase, interpreterBase)
        {
            StackPointer = contents.Pointer,
            EntryPage = entryPage,
            Vdso = vdso,
            Stack = (low, top),
            Arguments = argv,
            AuxiliaryVector = contents.Auxiliary,
            ArgumentArea = contents.Arguments,
            EnvironmentArea = contents.Environment,
        };
    }

    private static HostFile OpenInterpreter(HostScratch scratch, Sysroot? sysroot, string name, string what)
    {
        string path = sysroot?.Translate(scratch, name) ?? name;
        try
        {
            return HostFile.Open(path, what);
        }
        catch (LoadException e) when (e.Errno is ENOENT or ENOTDIR)
        {
            throw new LoadException($"{what} is not there\n" + (sysroot is null ? "give --sysroot DIR, the root of a system that has it" : "the sysroot does not have it either: install it there"), ENOENT);
        }
    }

    private static string Absolute(string path) => path.StartsWith('/') ? path : GuestText.FromHost(Path.GetFullPath(GuestText.Show(path)));
}
