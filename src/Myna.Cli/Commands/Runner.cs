using Myna.Cli.Consoles;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Time;
using Myna.Host;
using Myna.Machines;
using Myna.Machines.Guests;
using Myna.Storage;

namespace Myna.Cli.Commands;

/// <summary>Builds the machine that <c>myna run</c> describes, connects it with the user, and waits for its end.</summary>
internal static class Runner
{
    public static async Task<int> RunAsync(RunSettings settings, CancellationToken cancellation)
    {
        Check(settings);
        settings = await FirmwareAsync(settings, cancellation).ConfigureAwait(false);
        string? vgaBios = await VgaBiosAsync(settings, cancellation).ConfigureAwait(false);
        string? roms = NetworkCards(settings).Any(n => WantsRom(settings, n))
            ? await new GuestCache(GuestCache.DefaultRoot).FirmwareAsync(settings.Arch, GuestCache.NetRoms, new ConsoleProgress(), cancellation).ConfigureAwait(false) : null;
        Guest? guest = settings.BootsGuest ? await GuestAsync(settings, cancellation).ConfigureAwait(false) : null;
        if (settings.Accel == Accel.Lockstep)
            return LockstepRunner.Run(settings, guest, cancellation);
        var clock = new RealClock();
        var devices = new DeviceSet();
        using FlashFile? variables = Variables(settings);
        try
        {
            devices.AddDisks(settings.Disks, settings.Boot);
            devices.AddCdroms(settings.Cdroms, settings.Boot);
            devices.AddUsb(settings.Usb, settings.Boot, settings.Disks.Count);
            if (settings is { Display: not null, Screen: ScreenKind.Std or ScreenKind.Ramfb, Arch: "x86_64", Board: null or "q35", Usb.Count: 0 })
                devices.Add(new UsbDeviceOptions(UsbKind.Tablet));
            devices.AddFloppies(settings.Floppies, settings.Boot);
            devices.AddNetworks(settings.Networks, clock, settings.Boot, card => Rom(settings, card, roms));
            devices.Add(new RngDevice());
            if (settings.Watchdog is { } action)
                devices.Add(new WatchdogDevice(action));
            if (settings.Panic is { } panic)
                devices.Add(panic);
            if (settings.Generation is { } generation)
                devices.Add(generation);
            if (settings.Sound)
                devices.Add(new SoundDevice());
            if (settings.Balloon)
                devices.Add(new BalloonDevice());
            var options = new MachineOptions
            {
                Arch = settings.Arch,
                Board = settings.Board,
                Cpu = settings.Cpu,
                Cpus = settings.Cpus,
                DebugExitPort = settings.DebugExitPort,
                Memory = settings.Memory,
                MemoryBacking = settings.MemoryBacking,
                Accel = settings.Accel,
                Irqchip = settings.Irqchip,
                Kernel = guest?.Kernel ?? settings.Kernel,
                KernelEntry = settings.KernelEntry,
                Initrd = settings.Initrd ?? guest?.Initrd,
                Append = settings.Append,
                Firmware = settings.Firmware,
                Flash = settings.Flash,
                FirmwareVariables = variables,
                Clock = clock,
                Log = new Log(line => Output.Note("myna: " + line), settings.Log),
                Tpm = settings.Tpm is { } socket ? new SwtpmBackend(socket["unix:".Length..]) : null,
                Audio = settings.Audio is { } wave ? new WavFile(wave) : null,
                SecondConsole = settings.SecondSerial is { } file ? new FilePort(file) : null,
                Screen = settings.Display is null ? ScreenKind.None : settings.Screen,
                VgaBios = vgaBios,
                NoReboot = settings.NoReboot,
                Signature = settings.Signature,
                SignatureGranularity = settings.SignatureGranularity,
            };
            return settings.Command.Length > 0
                ? RunCommandIn(settings, options, devices)
                : RunInteractive(settings, options, guest, devices);
        }
        finally
        {
            devices.Dispose();
        }
    }

    /// <summary>What EDK II for riscv64 lays out at fixed places.</summary>
    private const ulong LeastUefiMemory = 2UL << 30;

    private static void Check(RunSettings settings)
    {
        const int Usage = 2;
        if (settings.Command.Length > 0 && (settings.Kernel is not null || settings.Initrd is not null))
            throw new UserException("a command after -- runs in the default guest alone; leave out --kernel and --initrd", Usage);
        if (settings.Tpm is { } tpm && !tpm.StartsWith("unix:", StringComparison.Ordinal))
            throw new UserException($"--tpm: '{tpm}' is unknown; use unix:PATH, swtpm's control socket", Usage);
        if (settings.Serials.Count > 4)
            throw new UserException("--serial: a machine has four serial ports at most", Usage);
        if (settings.Serials.Count > 1 && settings.SecondSerial is not null)
            throw new UserException("--serial2 and a second --serial are the same port; leave one of them out", Usage);
        if (settings.Serials.Count(s => s.IsStdio) > 1)
            throw new UserException("--serial stdio is for one port", Usage);
        if (settings.Command.Length > 0 && settings.Monitor == RunSettings.MonitorStdio)
            throw new UserException("the command after -- takes standard input; use --monitor unix:PATH", Usage);
        if (settings.Command.Length > 0 && !settings.BootsGuest)
            throw new UserException("a command after -- runs in the default guest alone; leave out --firmware", Usage);
        if (settings.Log.FirstOrDefault(name => !LogNames.Known.Append(LogNames.All).Contains(name, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            throw new UserException($"--log knows no component '{unknown}'; use {string.Join(", ", LogNames.Known)}, or {LogNames.All}", Usage);
        if (settings is { Kernel: not null, Arch: "riscv64", Firmware: GuestCache.UefiName or GuestCache.UBootName })
            throw new UserException($"--firmware {settings.Firmware} finds its kernel on a disk or in the network; leave out --kernel", Usage);
        if (settings is { Firmware: GuestCache.UefiName, Arch: "riscv64", Memory: < LeastUefiMemory })
            throw new UserException("UEFI for riscv64 needs 2 GiB of memory: --memory 2G", Usage);
        if (settings is { UefiVariables: not null, Firmware: null or MachineOptions.FirmwareNone })
            throw new UserException("--uefi-vars keeps the variables of --firmware uefi; add that, or leave it out", Usage);
        if (settings is { Kernel: null, Firmware: MachineOptions.FirmwareNone, Arch: "riscv64" })
            throw new UserException("--firmware none starts the kernel in M-mode; say which with --kernel FILE", Usage);
        // Before the run: its result would be lost after it.
        if (settings.Signature is not null && !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(settings.Signature))))
            throw new UserException($"cannot write the signature {settings.Signature}: its directory does not exist");
        if (settings.Kernel is not null && settings.GuestSuite is not null)
            throw new UserException("--guest-suite chooses the default guest; leave out --kernel", Usage);
        if (settings.Accel == Accel.Lockstep && (settings.Command.Length > 0 || settings.Disks.Count > 0 || settings.Cdroms.Count > 0 || settings.Floppies.Count > 0 || settings.Networks.Any(n => n.Network is not null)))
            throw new UserException("--accel lockstep runs a machine without disks, networks and commands after --, whose timing is the host's; leave them out", Usage);
    }

    /// <summary>A firmware's name becomes the path of its image.</summary>
    private static async Task<RunSettings> FirmwareAsync(RunSettings settings, CancellationToken cancellation)
    {
        if (settings.Firmware is not string name || !GuestCache.FirmwareNames(settings.Arch).Contains(name))
            return settings;
        string path = await new GuestCache(GuestCache.DefaultRoot).FirmwareAsync(settings.Arch, name, new ConsoleProgress(), cancellation).ConfigureAwait(false);
        byte[]? template = name == GuestCache.UefiName ? await File.ReadAllBytesAsync(GuestCache.UefiVariables(path), cancellation).ConfigureAwait(false) : null;
        settings = settings with { Firmware = path, UefiTemplate = template };
        // Firmware of S-mode, which the built-in SBI starts.
        return (settings.Arch, name) switch
        {
            ("riscv64", GuestCache.UefiName) => settings with { Firmware = MachineOptions.FirmwareBuiltIn, Flash = path },
            ("riscv64", GuestCache.UBootName) => settings with { Firmware = MachineOptions.FirmwareBuiltIn, Kernel = path },
            _ => settings,
        };
    }

    /// <summary>The VGA BIOS, of which a kernel that starts without firmware gets the text mode alone: it can do without.</summary>
    private static async Task<string?> VgaBiosAsync(RunSettings settings, CancellationToken cancellation)
    {
        if (settings is not { Display: not null, Arch: "x86_64", Screen: ScreenKind.Std or ScreenKind.Virtio })
            return null;
        try
        {
            return await new GuestCache(GuestCache.DefaultRoot).FirmwareAsync(settings.Arch, GuestCache.VgaBios, new ConsoleProgress(), cancellation).ConfigureAwait(false);
        }
        catch (GuestException e) when (settings.Firmware is null or MachineOptions.FirmwareNone)
        {
            Console.Error.WriteLine($"myna: the screen shows no text before the guest's own driver does: {e.Message}");
            return null;
        }
    }

    private static IEnumerable<NetOption> NetworkCards(RunSettings settings) => NetOption.OrDefault(settings.Networks).Where(n => n.Network is not null);

    /// <summary>A card gets firmware of Debian's where a machine's firmware is to start from the network, or from nothing else.</summary>
    private static bool WantsRom(RunSettings settings, NetOption card)
    {
        if (settings is not { Arch: "x86_64", Firmware: not (null or MachineOptions.FirmwareNone) } || card.Rom is not (null or NetOption.RomOn))
            return false;
        return card.Rom is not null || card.Network!.BootFile is not null || settings.Boot?.Order.Contains('n') == true || settings is { Kernel: null, Disks: [], Cdroms: [], Floppies: [], Usb: [] };
    }

    private static byte[] Rom(RunSettings settings, NetOption card, string? roms)
    {
        if (!WantsRom(settings, card) && card.Rom is null or NetOption.RomOn or NetOption.RomOff)
            return [];
        string path = WantsRom(settings, card) ? GuestCache.NetRom(roms!, card.Model) : card.Rom!;
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"the network card's firmware {path} cannot be read: {e.Message}");
        }
    }

    private static FlashFile? Variables(RunSettings settings)
        => settings.UefiVariables is { } path ? FlashFile.Open(path, settings.UefiTemplate, line => Output.Note("myna: " + line))
            : settings.UefiTemplate is { } template ? FlashFile.InMemory(template) : null;

    private static Task<Guest> GuestAsync(RunSettings settings, CancellationToken cancellation)
    {
        GuestRecipe recipe = GuestRecipe.For(settings.Arch);
        return new GuestCache(GuestCache.DefaultRoot).GetAsync(recipe, recipe.CheckSuite(settings.GuestSuite), new ConsoleProgress(), cancellation);
    }

    /// <summary>The console is the user's terminal, or the pipes in its place.</summary>
    private static int RunInteractive(RunSettings settings, MachineOptions options, Guest? guest, DeviceSet devices)
    {
        using var output = new OutputPump(StandardStreams.OpenOutput(), "console output");
        var serial = new CharPort(output.Write);
        CharPort keyboard = serial;
        if (guest is not null)
        {
            // The shell is on a virtio console: it knows the window's size and takes input in blocks.
            keyboard = new CharPort(output.Write, guestSpeaksFirst: true);
            devices.Add(new ConsoleDevice(keyboard));
            options = options with { Append = Words(GuestRecipe.For(options.Arch).CommandLine, "myna.tty=hvc0", settings.Append) };
        }
        options = SerialPorts.Connect(settings.Serials, serial, options) with { Devices = devices.Options };
        using var session = new MachineSession(settings, options);
        session.Follow(output);
        // Raw mode only where the keys go to this program; a job in the background would be stopped for it.
        bool prompt = settings.Monitor == RunSettings.MonitorStdio;
        bool raw = !prompt && Terminal.InputIsTerminal && Terminal.IsForeground;
        using Terminal? terminal = raw ? Terminal.EnterRaw() : null;
        Output.Raw = terminal is not null;
        bool left = false;
        try
        {
            if (terminal is not null)
                Output.Note($"myna: {EscapeKey.Name} leaves");
            using var keys = new InputPump(StandardStreams.OpenInput(), keyboard, terminal is null ? null : () =>
            {
                left = true;
                session.End(0);
            });
            session.Start();
            if (prompt)
                StartMonitor(session);
            else
                keys.Start();
            int status = session.Wait();
            output.Drain();
            return session.HostStatus ?? status;
        }
        finally
        {
            terminal?.Dispose();
            Output.Raw = false;
            // The cursor stands behind the guest's prompt.
            if (left)
                Output.Note("");
        }
    }

    /// <summary>The user's input is the monitor's; the console's output still comes to the same place.</summary>
    private static void StartMonitor(MachineSession session)
    {
        var thread = new Thread(() =>
        {
            try
            {
                session.ServeMonitor(new StreamReader(StandardStreams.OpenInput()), new StreamWriter(StandardStreams.OpenOutput()));
            }
            catch (IOException)
            {
                // Nobody reads it any more.
            }
        });
        thread.IsBackground = true;
        thread.Name = "monitor";
        thread.Start();
    }

    /// <summary>The user's streams are the command's; the console is kept for when something fails.</summary>
    private static int RunCommandIn(RunSettings settings, MachineOptions options, DeviceSet devices)
    {
        using var command = new GuestCommand(settings.Command, StandardStreams.OpenInput(), StandardStreams.OpenOutput(), StandardStreams.OpenError());
        using OutputPump? console = settings.Verbose ? new OutputPump(StandardStreams.OpenError(), "console output") : null;
        var last = new LastLines();
        var serial = new CharPort(bytes =>
        {
            last.Write(bytes);
            console?.Write(bytes);
        });
        foreach (DeviceOptions port in command.Devices)
            devices.Add(port);
        string append = Words(GuestRecipe.For(options.Arch).CommandLine, "quiet panic=-1 myna.command", settings.Append);
        options = SerialPorts.Connect(settings.Serials, serial, options) with { Devices = devices.Options, Append = append, NoReboot = true };
        using var session = new MachineSession(settings, options);
        session.Follow(command.Output);
        session.Ending += command.Error.Abandon;
        session.Start();
        session.Wait();
        command.Output.Drain();
        if (session.HostStatus is int status)
            return status;
        if (command.Status is int result)
            return result;
        throw new UserException($"the guest ended before the command did; its console said last:\n{last.ReadEnd()}");
    }

    private static string Words(params string?[] words) => string.Join(' ', words.Where(w => !string.IsNullOrEmpty(w)));
}
