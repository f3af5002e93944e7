using System.Globalization;
using System.Runtime.InteropServices;
using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Host.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86.Kvm;

/// <summary>Hosts without KVM or without parts of it: what is done without, and what the user is told about the rest.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class WithoutTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("myna").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string NewFile(UnixFileMode mode)
    {
        string path = Path.Combine(_folder, "device");
        File.WriteAllText(path, "");
        File.SetUnixFileMode(path, mode);
        return path;
    }

    private static string WhyNot(string path)
    {
        using KvmHost? host = KvmHost.TryOpen(path, null, out string reason);
        Assert.Null(host);
        Assert.DoesNotContain('\n', reason);
        return reason;
    }

    [Fact]
    public void A_device_that_is_not_there_or_not_KVMs()
    {
        string missing = Path.Combine(_folder, "missing");
        Assert.StartsWith($"there is no {missing}: load the module kvm_intel or kvm_amd", WhyNot(missing), StringComparison.Ordinal);
        Assert.StartsWith("/dev/null is not KVM's: ", WhyNot("/dev/null"), StringComparison.Ordinal);
    }

    [DllImport("libc")]
    private static extern int setfsuid(uint user);

    [DllImport("libc")]
    private static extern int chown([MarshalAs(UnmanagedType.LPUTF8Str)] string path, uint user, uint group);

    [Fact]
    public void A_device_that_may_not_be_opened()
    {
        const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite, Group = UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
        string path = NewFile(UnixFileMode.None);
        File.SetUnixFileMode(_folder, File.GetUnixFileMode(_folder) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.StartsWith($"permission to open {path} is denied", WhyNot(path), StringComparison.Ordinal);
            return;
        }
        // Root asks as somebody else: for files, and on this thread alone.
        string[] group = File.ReadLines("/etc/group").Select(l => l.Split(':')).Last(f => f[2] is not "0");
        Assert.Equal(0, chown(path, 0, uint.Parse(group[2], CultureInfo.InvariantCulture)));
        foreach ((UnixFileMode mode, string expected) in (ReadOnlySpan<(UnixFileMode, string)>)[(Owner | Group, $"is denied: join the group {group[0]} (as root: usermod -aG {group[0]} "), (Owner, "is denied to all but root: give it to the group kvm")])
        {
            File.SetUnixFileMode(path, mode);
            setfsuid(65534);
            string reason;
            try
            {
                reason = WhyNot(path);
            }
            finally
            {
                setfsuid(0);
            }
            Assert.StartsWith(expected, reason[$"permission to open {path} ".Length..], StringComparison.Ordinal);
        }
    }

    // Capabilities.

    [TheoryIfKvm]
    [InlineData(KvmCapability.USER_MEMORY)]
    [InlineData(KvmCapability.IMMEDIATE_EXIT)]
    [InlineData(KvmCapability.READONLY_MEM)]
    [InlineData(KvmCapability.VCPU_EVENTS)]
    [InlineData(KvmCapability.DEBUGREGS)]
    [InlineData(KvmCapability.XSAVE)]
    [InlineData(KvmCapability.XCRS)]
    [InlineData(KvmCapability.EXT_CPUID)]
    public void A_capability_that_cannot_be_done_without_is_named(KvmCapability capability)
    {
        using KvmHost host = KvmHost.TryOpen(KvmHost.Path, new KvmWithheld([capability], []), out _)!;
        Assert.Equal($"KVM: this kernel lacks KVM_CAP_{capability}", Assert.Throws<IOException>(() => new KvmMachine(host, new AddressSpace(), LogChannel.None).Dispose()).Message);
    }

    private static void Program(Assembler a)
    {
        a.mov(rax, cr4);
        a.or(eax, 0x600);
        a.mov(cr4, rax);
        a.fninit();
        a.fld1();
        a.fadd(st0, st0);
        a.fstp(__qword_ptr[(int)SystemFixture.Data]);
        a.mov(eax, 21);
        a.cvtsi2sd(xmm1, eax);
        a.mulsd(xmm1, __qword_ptr[(int)SystemFixture.Data]);
        a.cvtsd2si(r8d, xmm1);
        a.mov(ecx, 0xC000_0102);
        a.mov(eax, 0x1234);
        a.xor(edx, edx);
        a.wrmsr();
        a.mov(edx, 0x80);
        a.@out(dx, al);
        a.popcnt(r9d, r8d);
        a.mov(ecx, 0xC000_0102);
        a.rdmsr();
        a.mov(r10, rax);
    }

    private static void Check(SystemFixture f)
    {
        Assert.Equal(-1, f.Vector);
        Assert.Equal((42UL, 3UL, 0x1234UL), (f.R(8), f.R(9), f.R(10)));
        // Gone through another engine and back.
        f.Cpu.Step();
        Assert.Equal(0x1234UL, f.R(10));
    }

    public static TheoryData<KvmCapability[]> Optional =>
    [
        [], [KvmCapability.SYNC_REGS], [KvmCapability.SREGS2], [KvmCapability.XSAVE2], [KvmCapability.EXIT_ON_EMULATION_FAILURE], [KvmCapability.X86_USER_SPACE_MSR], [KvmCapability.IOEVENTFD],
        [KvmCapability.SET_GUEST_DEBUG], [KvmCapability.MANUAL_DIRTY_LOG_PROTECT2], [KvmCapability.DIRTY_LOG_RING, KvmCapability.DIRTY_LOG_RING_ACQ_REL], [KvmCapability.COALESCED_MMIO], [KvmCapability.COALESCED_PIO],
        [KvmCapability.SYNC_REGS, KvmCapability.SREGS2, KvmCapability.XSAVE2, KvmCapability.EXIT_ON_EMULATION_FAILURE, KvmCapability.X86_USER_SPACE_MSR, KvmCapability.IOEVENTFD, KvmCapability.COALESCED_MMIO],
    ];

    [TheoryIfKvm]
    [MemberData(nameof(Optional))]
    public void What_an_older_kernel_lacks_is_done_without(KvmCapability[] capabilities)
    {
        using var f = new SystemFixture(X86BootMode.Long64, "max", SystemTests.Virtualized, dirtyRing: 1024, withheld: new KvmWithheld(capabilities, []));
        using IDirtyLog log = f.Kvm!.StartDirtyLog();
        Check(f.Run(Program));
        ulong[] bitmap = new ulong[f.Ram.Size >> 18];
        log.Collect(f.Ram, bitmap);
        Assert.NotEqual(0UL, bitmap[SystemFixture.Data >> 18] & 1UL << (int)(SystemFixture.Data >> 12 & 63));
    }

    // MSRs.

    [TheoryIfKvm]
    [InlineData(0x10u)]
    [InlineData(0x277u)]
    [InlineData(0xC000_0103u)]
    [InlineData(0xC000_0082u)]
    public void An_MSR_that_fails_is_left_out_and_the_others_are_not(uint msr)
    {
        using var f = new SystemFixture(X86BootMode.Long64, "max", SystemTests.Virtualized, withheld: new KvmWithheld([], [msr]));
        Check(f.Run(Program));
    }

    [FactIfKvm]
    public void MSRs_of_the_hosts_features_are_read_or_missing()
    {
        using KvmHost host = KvmHost.TryOpen(out _)!;
        uint[] listed = host.FeatureMsrIndices();
        // Some back ends list what they then cannot read.
        Assert.All(listed, i => Assert.True(host.TryReadFeatureMsr(i, out ulong value) || value == 0));
        Assert.False(host.TryReadFeatureMsr(0xDEAD_0000, out _));
        using KvmHost old = KvmHost.TryOpen(KvmHost.Path, new KvmWithheld([KvmCapability.GET_MSR_FEATURES], []), out _)!;
        Assert.DoesNotContain(listed, i => old.TryReadFeatureMsr(i, out _));
    }
}
