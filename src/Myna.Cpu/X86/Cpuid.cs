using System.Runtime.InteropServices;
using System.Text;

namespace Myna.Cpu.X86;

/// <summary>
/// CPUID (Intel SDM volume 2; AMD APM volume 3, appendix E): what one CPU answers, apart from the bits that follow control registers.
/// </summary>
internal sealed class Cpuid(X86CpuOptions options)
{
    internal record struct Leaf(uint Eax, uint Ebx, uint Ecx, uint Edx);

    /// <summary>Leaf 1 EAX: family 6, model 0x6A, stepping 6. A server core whose lists of known flaws all have a bit that says "not this one".</summary>
    public const uint Signature = 0x606A6;

    public const uint LastBasic = 0x16, LastExtended = 0x8000_0008, LastHypervisor = 0x4000_0010;

    /// <summary>The TSC counts nanoseconds of the machine's clock, unless the options say otherwise.</summary>
    public const uint TscHertz = 1_000_000_000;

    private readonly CpuModel _model = options.Model;
    private readonly ulong _tscHertz = options.TscHertz;

    // Every CPU is a package's core: package = all CPUs, one thread a core.
    private readonly int _coreShift = System.Numerics.BitOperations.Log2((uint)Math.Max(1, (options.Count * 2) - 1));

    public Leaf Read(uint leaf, uint subleaf)
    {
        bool hypervisor = _model.Has(CpuFeature.Hypervisor);
        if (leaf is >= 0x4000_0000 and <= LastHypervisor && hypervisor)
            return Hypervisor(leaf);
        // Beyond the last leaf Intel's processors answer as for the last basic one (SDM volume 2, CPUID).
        if (leaf > LastBasic && leaf is < 0x8000_0000 or > LastExtended)
            leaf = LastBasic;
        return leaf switch
        {
            0 => new Leaf(LastBasic, Text("Genu"), Text("ntel"), Text("ineI")),
            1 => Features(1, 0) with
            {
                Eax = Signature,
                // CLFLUSH of 64 bytes, logical processors in the package, initial APIC ID.
                Ebx = 8 << 8 | (uint)Math.Min(255, 1 << _coreShift) << 16 | (uint)(options.Index & 0xFF) << 24,
            },
            // Descriptors: see leaf 4 for caches.
            2 => new Leaf(0x00FF_FF01, 0, 0, 0),
            4 => Cache(subleaf),
            // MONITOR lines of 64 bytes.
            5 => new Leaf(64, 64, 3, 0),
            0xD => ExtendedState(subleaf),
            7 => Features(leaf, subleaf),
            // These have no subleaves: ECX holds anything.
            6 or 0x8000_0001 or 0x8000_0007 => Features(leaf, 0),
            0xB or 0x1F => Topology(subleaf),
            // TSC: its own crystal clock times 1/1.
            0x15 => new Leaf(1, 1, (uint)_tscHertz, 0),
            // Base and maximum frequency, bus frequency in MHz.
            0x16 => new Leaf((uint)(_tscHertz / 1_000_000), (uint)(_tscHertz / 1_000_000), 100, 0),
            0x8000_0000 => new Leaf(LastExtended, 0, 0, 0),
            >= 0x8000_0002 and <= 0x8000_0004 => Brand((int)(leaf - 0x8000_0002)),
            // AMD's descriptions of L1 and L2.
            0x8000_0006 => new Leaf(0, 0, 256 << 16 | 6 << 12 | 64, 0),
            0x8000_0008 => new Leaf(X86Cpu.PhysicalAddressBits | (_model.Has(CpuFeature.La57) ? 57u : 48u) << 8, 0, 0, 0),
            _ => default,
        };
    }

    private static uint Text(string four) => MemoryMarshal.Read<uint>(Encoding.ASCII.GetBytes(four));

    private Leaf Features(uint leaf, uint subleaf)
    {
        Leaf result = default;
        foreach (CpuFeatures.Row row in CpuFeatures.All)
        {
            if (row.Leaf != leaf || row.Subleaf != subleaf || !_model.Has(row.Feature))
                continue;
            uint bit = 1u << row.Bit;
            switch (row.Register)
            {
                case CpuidRegister.Eax: result.Eax |= bit; break;
                case CpuidRegister.Ebx: result.Ebx |= bit; break;
                case CpuidRegister.Ecx: result.Ecx |= bit; break;
                default: result.Edx |= bit; break;
            }
        }
        return result;
    }

    // Deterministic cache parameters: 32 KiB L1 data and instruction, 1 MiB L2, 16 MiB L3 of the package.
    private Leaf Cache(uint subleaf)
    {
        uint cores = (1u << _coreShift) - 1;
        return subleaf switch
        {
            0 => Make(type: 1, level: 1, ways: 8, sets: 64, shared: 0),
            1 => Make(type: 2, level: 1, ways: 8, sets: 64, shared: 0),
            2 => Make(type: 3, level: 2, ways: 16, sets: 1024, shared: 0),
            3 => Make(type: 3, level: 3, ways: 16, sets: 16384, shared: cores),
            _ => default,
        };

        Leaf Make(uint type, uint level, uint ways, uint sets, uint shared)
            => new(type | level << 5 | 1 << 8 | shared << 14 | cores << 26, 63 | (ways - 1) << 22, sets - 1, level == 3 ? 2u : 0);
    }

    private Leaf Topology(uint subleaf) => subleaf switch
    {
        // Level type 1: SMT.
        0 => new Leaf(0, 1, subleaf | 1 << 8, (uint)options.Index),
        // Level type 2: core.
        1 => new Leaf((uint)_coreShift, (uint)options.Count, subleaf | 2 << 8, (uint)options.Index),
        _ => new Leaf(0, 0, subleaf, (uint)options.Index),
    };

    // EBX of sub-leaves 0 and 1 depends on XCR0 and IA32_XSS: X86Cpu fills it in.
    private Leaf ExtendedState(uint subleaf)
    {
        if (!_model.Has(CpuFeature.Xsave))
            return default;
        ulong supported = SupportedXcr0(_model);
        return subleaf switch
        {
            0 => new Leaf((uint)supported, 0, XsaveSize(supported), (uint)(supported >> 32)),
            1 => Features(0xD, 1),
            < 63 when (supported >> (int)subleaf & 1) != 0 && subleaf >= 2 => Component((int)subleaf) is var (offset, size) ? new Leaf(size, offset, 0, 0) : default,
            _ => default,
        };
    }

    /// <summary>State components that XCR0 may enable.</summary>
    public static ulong SupportedXcr0(CpuModel model)
        => model.Has(CpuFeature.Xsave) ? 3UL | (model.Has(CpuFeature.Avx) ? 4UL : 0) | (model.Has(CpuFeature.Pku) ? 1UL << 9 : 0) : 0;

    /// <summary>Offset in the standard format and size of an extended component (SDM volume 1, section 13.5).</summary>
    public static (uint Offset, uint Size) Component(int number) => number switch { 2 => (576, 256), 9 => (2688, 8), _ => (0, 0) };

    /// <summary>Bytes of an XSAVE area in the standard format with these components.</summary>
    public static uint XsaveSize(ulong components)
    {
        uint size = 576;
        for (int i = 2; i < 63; i++)
        {
            if ((components >> i & 1) != 0 && Component(i) is var (offset, length) && length != 0)
                size = Math.Max(size, offset + length);
        }
        return size;
    }

    /// <summary>Bytes of an XSAVE area in the compacted format with these components.</summary>
    public static uint CompactedSize(ulong components)
    {
        uint size = 576;
        for (int i = 2; i < 63; i++)
        {
            if ((components >> i & 1) != 0)
                size += Component(i).Size;
        }
        return size;
    }

    private Leaf Brand(int part)
    {
        byte[] text = new byte[48];
        Encoding.ASCII.GetBytes(options.Model.Brand.AsSpan(0, Math.Min(47, options.Model.Brand.Length)), text);
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<byte, uint>(text.AsSpan(16 * part, 16));
        return new Leaf(words[0], words[1], words[2], words[3]);
    }

    // A hypervisor without an interface of its own but the frequencies of leaf 0x4000_0010, as several hypervisors have it.
    private Leaf Hypervisor(uint leaf) => leaf switch
    {
        0x4000_0000 when options.Paravirtual != 0 => new Leaf(LastHypervisor, Text("KVMK"), Text("VMKV"), Text("M\0\0\0")),
        0x4000_0001 => new Leaf(options.Paravirtual, 0, 0, 0),
        0x4000_0000 => new Leaf(LastHypervisor, Text("Myna"), Text("Myna"), Text("Myna")),
        // TSC and bus frequency in kHz.
        LastHypervisor => new Leaf((uint)(_tscHertz / 1000), 1_000_000, 0, 0),
        _ => default,
    };
}
