using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Myna.Hardware.Power;
using Myna.Machines;
using Myna.Machines.Guests;
using Myna.Network;

namespace Myna.Cli.Commands;

/// <summary>The options of <c>myna run</c>.</summary>
internal static class RunCommand
{
    public const string Examples = """
        Examples:
          myna run                                    the default guest, a shell on this terminal (Ctrl-] leaves)
          myna run -- uname -a                        one command in the guest; its output and exit status are myna's
          myna run --cpus 4 --memory 2G --disk disk.img
          myna run --net user,hostfwd=tcp:127.0.0.1:2222-:22
          myna run --kernel Image --initrd initrd.gz --append "console=ttyS0"
          myna run --firmware none --kernel test.elf  bare metal
          myna run --arch x86_64 --machine microvm --kernel bzImage
        """;

    public static Command Create(string[] guestCommand)
    {
        Setting<string?> arch = Value<string?>("--arch", "NAME", $"The guest's instruction set: {string.Join(" or ", Boards.Architectures)}; without this that of the kernel or board, otherwise {Boards.Architectures[0]}.", null, Arch);
        Setting<string?> board = Value<string?>("--machine", "BOARD[,...]", "The board and its properties: virt for riscv64; q35 (the default), pc or microvm for x86_64.", null, static s => s);
        board.Option.Aliases.Add("--board");
        Option<string?> cpu = Text("--cpu", "MODEL[,+FEATURE][,-FEATURE]", "The x86_64 processor: qemu64, x86-64-v1, x86-64-v2, x86-64-v3, or max and host (the default is nearly that): all that there is.");
        Setting<int> cpus = Value("--cpus", "N", "Virtual processors, 1 to 64 (default 1).", 1, Cpus);
        Setting<MemoryOption> memory = Value("--memory", "SIZE[,...]", "RAM, as in 512M or 2G (default 1G); hugepages=on|transparent, file=PATH: where it comes from; balloon=on: the guest gives back what it does not need.", new MemoryOption(1UL << 30),
            s => MemoryOption.ParseAll(s, (ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes));
        Setting<AccelOption> accel = Value("--accel", "ENGINE", "What executes guest code: auto (the default), kvm[,irqchip=split|full|off] (the host's processor, for guests of its instruction set; where interrupt controllers are: local APICs, all or none in the kernel), jit (translator), interp (interpreter), or lockstep: the last two, compared after every few blocks.", new AccelOption(Accel.Auto, Irqchip.Auto), AccelOption.Parse);
        Option<string?> kernel = Text("--kernel", "FILE", "A kernel (riscv64: Image, ELF, or one of them gzipped; x86_64: bzImage, ELF, PVH or multiboot) instead of the default guest.");
        Setting<int?> entry = Value<int?>("--kernel-entry", "16|32|64", "x86_64: the entry of a bzImage that is used; by default the widest, with --firmware 16 (real mode).", null, Entry);
        Option<string?> initrd = Text("--initrd", "FILE", "Its initial RAM disk; with a multiboot kernel modules, as in \"FILE WORDS,FILE WORDS\".");
        Option<string?> append = Text("--append", "TEXT", "Its command line; with the default guest, words added to it.");
        Setting<string?> firmware = Value<string?>("--firmware", "none|sbi|opensbi|u-boot|bios|uefi|FILE",
            "riscv64: the built-in SBI (the default), opensbi, u-boot or uefi (EDK II, with --memory 2G), which are fetched from Debian, another firmware image, or none: the kernel starts in M-mode. x86_64: none (the default: kernels start directly), bios (SeaBIOS), uefi (OVMF), both fetched from Debian, or an image.",
            null, static s => s);
        Option<string?> variables = Text("--uefi-vars", "FILE", "Keeps UEFI's variables (boot entries, settings); made at its first use. Without it they end with the machine.");
        var debugExit = new Option<string?>("--isa-debug-exit")
        {
            HelpName = "PORT",
            Description = "x86_64: a write of N to this I/O port (default 0xf4) ends the machine with status 2N+1; multiboot kernels have it without this.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<DiskOption[]> disks = Many("--disk", "FILE[,readonly][,if=...]", "A raw disk image as a virtio disk, or on another controller (if=scsi, if=ahci, on pc if=ide, if=nvme, if=usb, if=sd); may be repeated.", DiskOption.Parse);
        Option<CdromOption[]> cdroms = Many("--cdrom", "FILE|none", "x86_64: a CD drive with that ISO image, or an empty one; may be repeated.", CdromOption.Parse);
        Option<UsbOption[]> usb = Many("--usb", "keyboard|tablet|hub|storage=FILE|none", "A USB device, behind an xHCI controller; devices named after a hub are behind it. q35 has a tablet with --display, unless none is wanted.", UsbOption.Parse);
        Option<FloppyOption[]> floppies = Many("--floppy", "FILE|none", "x86_64: a diskette drive with that image, or an empty one; may be repeated once.", FloppyOption.Parse);
        Setting<BootOption?> boot = Value<BootOption?>("--boot", "order=LETTERS", "x86_64: what the firmware tries, in this order: a diskettes, c disks, d CDs, n network.", null, BootOption.Parse);
        Option<NetOption[]> nets = Many("--net", "user[,hostfwd=...][,model=CARD]|none", "The network (default user); hostfwd=tcp:HOSTADDR:PORT-:GUESTPORT opens a port to the guest; tftp=DIR,bootfile=NAME offers files to boot from; cards are virtio, e1000, e1000e, rtl8139.", NetOption.Parse);
        Option<string?> gdb = Text("--gdb", "[HOST]:PORT", "Waits for gdb there before the guest starts.");
        Option<string?> monitor = Text("--monitor", "unix:PATH|stdio", "A prompt that shows and drives the machine.");
        Setting<DisplayOption?> display = Value<DisplayOption?>("--display", "vnc[=[HOST]:PORT|=unix:PATH][,password-file=FILE][,layout=NAME]|none", "Gives the machine a screen and a keyboard, shown to VNC clients (default 127.0.0.1:5900), or to nobody but the monitor's screenshot.", null, DisplayOption.Parse);
        Setting<ScreenKind?> vga = Value<ScreenKind?>("--vga", "std|virtio|ramfb", "The display device that goes with --display (default: std).", null, Screen);
        Option<string[]> log = Many("--log", "NAME,...", $"Components that say what the guest does wrong ({string.Join(", ", LogNames.Known)}, or all).", static s => s);
        Option<string?> serial = Text("--serial2", "FILE", "x86_64: a second serial port (ttyS1); what the guest writes there goes to the file.");
        Option<SerialOption[]> serials = Many("--serial", "stdio|none|pty|file:PATH|unix:PATH[,server]|tcp:[HOST]:PORT[,server]", "What a serial port is connected to: the first one (stdio without this), then on PCs the second to the fourth.", SerialOption.Parse);
        Setting<GuestAction?> watchdog = Value<GuestAction?>("--watchdog", "reset|poweroff|pause|none", "A watchdog timer (i6300esb), and what happens when the guest does not feed it.", null, ActionOf);
        Setting<PanicDevice?> panic = Value<PanicDevice?>("--pvpanic", "isa|pci[,action=poweroff|reset|pause|none]", "A device by which the guest says that its kernel has panicked, and what happens then (poweroff, with status 1).", null, Panic);
        Setting<string?> sound = Value<string?>("--sound", "hda|none", "A sound device (Intel HDA); --audio says where it is heard.", null, Sound);
        Setting<string?> audio = Value<string?>("--audio", "wav=FILE|none", "Where sound goes, the speaker of a PC included: a WAVE file, or nowhere (the default).", null, Audio);
        Option<string?> tpm = Text("--tpm", "unix:PATH", "x86_64: a TPM 2.0, swtpm's, which waits at that control socket.");
        Setting<GenerationDevice?> generation = Value<GenerationDevice?>("--vmgenid", "auto|GUID", "x86_64: an identifier by which the guest notices that it goes on from a saved state: a random one, another after each load, or always this.", null, Generation);
        var trace = new Option<string?>("--trace")
        {
            HelpName = "FILE",
            Description = "Writes every executed instruction to standard error or to FILE; slow.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> signature = Text("--signature", "FILE", "At exit writes the memory from begin_signature to end_signature there.");
        Setting<int> granularity = Value("--signature-granularity", "BYTES", "Bytes per line of the signature: 4 (the default), 8 or 16.", 4, Granularity);
        Option<string?> suite = Text("--guest-suite", "NAME", "The Debian suite of the default guest: trixie or sid.");
        Setting<SandboxOption> sandbox = Value("--sandbox", "on|off[,...]", "Whether the process drops what it does not need before the guest runs: starting programs, looking into others, changing the host (default on); user=NAME, chroot=DIR, cgroup=DIR: where it goes first.", new SandboxOption(true, new Myna.Host.Confinement()), SandboxOption.Parse);
        var noReboot = new Option<bool>("--no-reboot") { Description = "A guest's reset ends the program." };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "Shows the guest's console on standard error while a command runs." };

        var command = new Command("run", "Boots a virtual machine.")
        {
            arch.Option, board.Option, cpu, cpus.Option, memory.Option, accel.Option, kernel, entry.Option, initrd, append, firmware.Option, variables, disks, cdroms, floppies, usb, boot.Option, nets,
            gdb, monitor, display.Option, vga.Option, log, serials, serial, watchdog.Option, panic.Option, sound.Option, audio.Option, tpm, generation.Option, trace, debugExit, signature, granularity.Option, suite, sandbox.Option, noReboot, verbose,
        };
        command.SetAction((result, cancellation) =>
        {
            var settings = new RunSettings
            {
                Arch = arch.Of(result) ?? Boards.Infer(board.Of(result), result.GetValue(kernel), firmware.Of(result), result.GetValue(cpu)),
                Board = board.Of(result),
                Cpu = result.GetValue(cpu),
                Cpus = cpus.Of(result),
                DebugExitPort = result.GetResult(debugExit) is null ? null : Port(result.GetValue(debugExit)),
                Memory = memory.Of(result).Size,
                MemoryBacking = memory.Of(result).Backing,
                Balloon = memory.Of(result).Balloon,
                Accel = accel.Of(result).Accel,
                Irqchip = accel.Of(result).Irqchip,
                Kernel = result.GetValue(kernel),
                KernelEntry = entry.Of(result),
                Initrd = result.GetValue(initrd),
                Append = result.GetValue(append),
                Firmware = firmware.Of(result),
                UefiVariables = result.GetValue(variables),
                Disks = result.GetValue(disks) ?? [],
                Cdroms = result.GetValue(cdroms) ?? [],
                Usb = result.GetValue(usb) ?? [],
                Floppies = result.GetValue(floppies) ?? [],
                Boot = boot.Of(result),
                Networks = result.GetValue(nets) ?? [],
                Gdb = result.GetValue(gdb),
                Monitor = result.GetValue(monitor),
                Display = display.Of(result) ?? (vga.Of(result) is null ? null : new DisplayOption(Address: null)),
                Screen = vga.Of(result) ?? ScreenKind.Std,
                Log = [.. (result.GetValue(log) ?? []).SelectMany(l => l.Split(',', StringSplitOptions.RemoveEmptyEntries))],
                Serials = result.GetValue(serials) ?? [],
                Watchdog = watchdog.Of(result),
                Panic = panic.Of(result),
                Sound = sound.Of(result) is not null,
                Audio = audio.Of(result),
                Tpm = result.GetValue(tpm),
                Generation = generation.Of(result),
                SecondSerial = result.GetValue(serial),
                Trace = result.GetResult(trace) is null ? null : result.GetValue(trace) ?? "",
                Signature = result.GetValue(signature),
                SignatureGranularity = granularity.Of(result),
                GuestSuite = result.GetValue(suite),
                Sandbox = sandbox.Of(result).Filter,
                Confinement = sandbox.Of(result).Confinement,
                NoReboot = result.GetValue(noReboot),
                Verbose = result.GetValue(verbose),
                Command = guestCommand,
            };
            return Runner.RunAsync(settings, cancellation);
        });
        return command;
    }

    private static string Arch(string text) =>
        Boards.Canonical(text) ?? throw new FormatException($"'{text}' is not supported; use {string.Join(" or ", Boards.Architectures)}");

    /// <exception cref="UserException">It is no port.</exception>
    private static ushort Port(string? text)
    {
        if (text is null)
            return 0xf4;
        bool hexadecimal = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ushort.TryParse(hexadecimal ? text.AsSpan(2) : text, hexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)
            ? port : throw new UserException($"--isa-debug-exit: '{text}' is not an I/O port, as in 0xf4", 2);
    }

    private static int Cpus(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n is >= 1 and <= 64
            ? n : throw new FormatException($"'{text}' is not a number from 1 to 64");

    private static ScreenKind? Screen(string text) => text switch
    {
        "std" => ScreenKind.Std,
        "virtio" => ScreenKind.Virtio,
        "ramfb" => ScreenKind.Ramfb,
        _ => throw new FormatException($"'{text}' is unknown; use std, virtio or ramfb"),
    };

    private static GuestAction? ActionOf(string text) => text switch
    {
        "reset" => GuestAction.Reset,
        "poweroff" => GuestAction.PowerOff,
        "pause" => GuestAction.Pause,
        "none" => GuestAction.None,
        _ => throw new FormatException($"'{text}' is unknown; use reset, poweroff, pause or none"),
    };

    private static PanicDevice? Panic(string text)
    {
        const string Action = "action=";
        string[] parts = text.Split(',');
        if (parts[0] is not ("isa" or "pci") || parts.Length > 2 || (parts.Length == 2 && !parts[1].StartsWith(Action, StringComparison.Ordinal)))
            throw new FormatException($"'{text}' is unknown; use isa or pci, and action=poweroff, reset, pause or none behind a comma");
        var device = new PanicDevice(Isa: parts[0] == "isa");
        return parts.Length == 1 ? device : device with { Action = ActionOf(parts[1][Action.Length..])!.Value };
    }

    private static GenerationDevice? Generation(string text) => text == "auto" ? new GenerationDevice()
        : Guid.TryParse(text, out Guid id) ? new GenerationDevice(id)
        : throw new FormatException($"'{text}' is no GUID; use auto, or one as in 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87");

    private static string? Sound(string text) => text switch
    {
        "hda" => text,
        "none" => null,
        _ => throw new FormatException($"'{text}' is unknown; use hda or none"),
    };

    private static string? Audio(string text) => text == "none" ? null : text.StartsWith("wav=", StringComparison.Ordinal) && text.Length > 4 ? text[4..]
        : throw new FormatException($"'{text}' is unknown; use wav=FILE or none");

    private static int? Entry(string text) => text is "16" or "32" or "64" ? int.Parse(text, CultureInfo.InvariantCulture) : throw new FormatException($"'{text}' is not 16, 32 or 64");

    private static int Granularity(string text) => text is "4" or "8" or "16" ? int.Parse(text, CultureInfo.InvariantCulture) : throw new FormatException($"'{text}' is not 4, 8 or 16");

    private static Option<string?> Text(string name, string help, string description) =>
        new(name) { HelpName = help, Description = description, Arity = ArgumentArity.ExactlyOne };

    private static Setting<T> Value<T>(string name, string help, string description, T fallback, Func<string, T> parse) =>
        new(new(name)
        {
            HelpName = help,
            Description = description,
            Arity = ArgumentArity.ExactlyOne,
            CustomParser = result => One(name, result, parse),
        }, fallback);

    /// <summary>An option with a default that the help's text names in the user's words, not as the parsed value.</summary>
    private sealed record Setting<T>(Option<T> Option, T Fallback)
    {
        public T Of(ParseResult result) => result.GetResult(Option) is null ? Fallback : result.GetValue(Option)!;
    }

    private static Option<T[]> Many<T>(string name, string help, string description, Func<string, T> parse) =>
        new(name)
        {
            HelpName = help,
            Description = description,
            Arity = ArgumentArity.OneOrMore,
            CustomParser = result =>
            {
                try
                {
                    return [.. result.Tokens.Select(t => parse(t.Value))];
                }
                catch (FormatException e)
                {
                    result.AddError($"{name}: {e.Message}");
                    return [];
                }
            },
        };

    private static T One<T>(string name, ArgumentResult result, Func<string, T> parse)
    {
        try
        {
            return parse(result.Tokens[0].Value);
        }
        catch (FormatException e)
        {
            result.AddError($"{name}: {e.Message}");
            return default!;
        }
    }
}
