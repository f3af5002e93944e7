using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Machines.Loading;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>
/// Starts a kernel without firmware: decides where it, its RAM disk or modules and what the protocol passes go, puts them
/// there at power-on and at every reset, and says in which state the bootstrap processor begins.
/// </summary>
internal sealed class DirectBoot : IDisposable
{
    // Conventional memory, all of it free for the kernel once it has read what it wants.
    private const ulong Gdt = 0x1000, StartInfo = 0x6000, BootParams = 0x7000, SetupData = 0x8000, PageTables = 0x9000;
    private const ulong MultibootInfo = 0x10000, CommandLine = LinuxSetup.CommandLine, CommandLineEnd = LinuxSetup.CommandLineEnd;
    private const ushort CodeSelector = 0x10, DataSelector = 0x18;
    private const int SeedSize = 32, RsdpSize = 36;

    /// <summary>Above, no amount of memory puts RAM below 4 GiB.</summary>
    private const ulong HighestKernel = 0xb000_0000;

    private readonly MachineOptions _options;
    private readonly PcMemory _memory;
    private readonly X86Kernel _kernel;
    private readonly string _commandLine;
    private readonly List<Segment> _files = [];
    private readonly List<BootModule> _modules = [];

    /// <param name="commandLine">What the board puts in front of the user's words, unless they name a console.</param>
    /// <param name="announcement">What the board puts behind them.</param>
    /// <exception cref="MachineException">An image is missing, wrong, or does not fit.</exception>
    public DirectBoot(MachineOptions options, PcMemory memory, string commandLine, string announcement = "")
    {
        _options = options;
        _memory = memory;
        _kernel = X86Kernel.Load(options.Kernel!, options.KernelEntry);
        try
        {
            if (_kernel.Linux is { NeedsBios: true })
                throw new MachineException($"{_kernel.Path} is a program in the form of a kernel that runs on a BIOS's services; start it with --firmware bios");
            CheckPlaces();
            _commandLine = KernelCommandLine.Make(_kernel, commandLine, options.Append, announcement, CommandLineEnd - CommandLine);
            if (options.Initrd is { } initrd)
                PlaceModules(initrd);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public X86Kernel Kernel => _kernel;

    /// <summary>Address of the ACPI root pointer, for protocols that pass it. Set it before <see cref="Load"/>.</summary>
    public ulong Rsdp { get; set; }

    /// <summary>The display shows text. Set it before <see cref="Load"/>.</summary>
    public bool HasTextMode { get; set; }

    /// <summary>Puts everything into memory.</summary>
    /// <returns>The state of the bootstrap processor.</returns>
    public X86BootState Load(AddressSpace memory)
    {
        foreach (Segment segment in _kernel.Segments.Concat(_files))
            SegmentLoader.Load(memory, segment);
        bool wide = _kernel.Protocol == BootProtocol.Linux64;
        Put(CommandLine, new ByteWriter().CString(_commandLine).ToArray());
        BootModule? initrd = _modules.Count == 0 ? null : _modules[0];
        if (_kernel.Protocol == BootProtocol.Linux16)
        {
            PutSeed();
            Put(LinuxSetup.Address, LinuxSetup.Prepare(_kernel, initrd, SetupData));
            return new X86BootState(X86BootMode.Real, 0) { CodeSelector = LinuxSetup.CodeSegment, DataSelector = LinuxSetup.DataSegment, Rsp = LinuxSetup.HeapEnd };
        }
        byte[] gdt = BootStructures.Gdt(wide);
        Put(Gdt, gdt);
        var state = new X86BootState(wide ? X86BootMode.Long64 : X86BootMode.Protected32, _kernel.Entry)
        {
            GdtBase = Gdt, GdtLimit = (ushort)(gdt.Length - 1), CodeSelector = CodeSelector, DataSelector = DataSelector,
        };
        switch (_kernel.Protocol)
        {
            case BootProtocol.Pvh:
                Put(StartInfo, BootStructures.PvhStartInfo(StartInfo, _memory, CommandLine, initrd, Rsdp));
                return state with { Rbx = StartInfo };
            case BootProtocol.Multiboot:
                Put(MultibootInfo, BootStructures.MultibootInfo((uint)MultibootInfo, _memory, _commandLine, _modules));
                return state with { Rax = 0x2badb002, Rbx = MultibootInfo };
            case BootProtocol.Multiboot2:
                byte[] rsdp = new byte[RsdpSize];
                _ = memory.Read(Rsdp, rsdp);
                Put(MultibootInfo, Multiboot2Info.Build(_memory, _commandLine, _modules, rsdp, _kernel.Multiboot2!.Relocatable ? (uint)_kernel.Segments.Min(s => s.Address) : null));
                return state with { Rax = Multiboot2Info.Magic, Rbx = MultibootInfo };
            default:
                PutSeed();
                Put(BootParams, BootStructures.BootParams(_kernel.Linux, _memory, CommandLine, initrd, Rsdp, SetupData, HasTextMode));
                if (wide)
                    Put(PageTables, BootStructures.IdentityTables(PageTables));
                return state with { Rsi = BootParams, Cr3 = wide ? PageTables : 0 };
        }

        void PutSeed()
        {
            byte[] seed = new byte[SeedSize];
            _options.Fill(seed);
            Put(SetupData, BootStructures.RandomSeed(seed));
        }

        void Put(ulong address, byte[] bytes)
        {
            if (!memory.Write(address, bytes))
                throw new InvalidOperationException($"there is no RAM at 0x{address:x}");
        }
    }

    public void Dispose()
    {
        _kernel.Dispose();
        foreach (Segment file in _files)
            file.Source.Dispose();
    }

    private void CheckPlaces()
    {
        foreach (Segment s in _kernel.Segments)
        {
            // What the loader itself uses lies below 192 KiB; the multiboot loader leaves some of that free.
            bool free = _kernel.IsMultiboot && s.Address >= StartInfo && s.End <= MultibootInfo;
            if ((s.Address < CommandLineEnd && !free) || !_memory.Holds(s.Address, s.End))
            {
                string remedy = s.Address >= PcMemory.High && s.End <= HighestKernel ? "raise --memory" : "link it for an address from 1 MiB on";
                throw new MachineException($"the kernel {_kernel.Path} loads at 0x{s.Address:x}-0x{s.End - 1:x}, outside usable RAM (0x{PcMemory.High:x}-0x{_memory.BelowHole - 1:x}); {remedy}");
            }
        }
        if (_kernel.Linux is { } linux && linux.WorkEnd > _memory.BelowHole)
            throw new MachineException($"the kernel {_kernel.Path} needs memory up to 0x{linux.WorkEnd:x}, but RAM ends at 0x{_memory.BelowHole:x}; raise --memory");
        if (!_memory.Holds(_kernel.Entry, _kernel.Entry + 1))
            throw new MachineException($"the kernel {_kernel.Path} starts at 0x{_kernel.Entry:x}, outside RAM; link it for an address in RAM");
    }

    /// <summary>Linux's RAM disk goes as high as it may; multiboot's modules lie behind the kernel.</summary>
    private void PlaceModules(string initrd)
    {
        if (!_kernel.IsMultiboot)
        {
            var source = new ImageSource(initrd, "initrd");
            ulong top = Math.Min(_memory.BelowHole, (_kernel.Linux?.InitrdMaximum ?? uint.MaxValue) + 1);
            ulong floor = AlignUp(Math.Max(_kernel.End, _kernel.Linux?.WorkEnd ?? 0)), size = (ulong)source.Length;
            ulong start = size > top ? 0 : (top - size) / Ram.PageSize * Ram.PageSize;
            Add(source, start, "");
            if (start < floor)
                throw new MachineException($"the initrd {initrd} has {size} bytes, but only {Math.Max(top, floor) - floor} are left in {_options.Memory >> 20} MiB of memory; raise --memory");
            return;
        }
        ulong at = AlignUp(_kernel.End);
        foreach (string module in initrd.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var source = new ImageSource(module.Split(' ', 2)[0], "module");
            Add(source, at, module);
            if (!_memory.Holds(at, at + (ulong)source.Length))
                throw new MachineException($"the module {module} has {source.Length} bytes and does not fit behind the kernel in {_options.Memory >> 20} MiB of memory; raise --memory");
            at = AlignUp(at + (ulong)source.Length);
        }
    }

    private void Add(ImageSource source, ulong start, string commandLine)
    {
        ulong size = (ulong)source.Length;
        _files.Add(new Segment(start, source, 0, size, size));
        _modules.Add(new BootModule(start, size, commandLine));
    }

    private static ulong AlignUp(ulong value) => (value + Ram.PageSize - 1) / Ram.PageSize * Ram.PageSize;
}
