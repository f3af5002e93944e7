using Myna.Cpu.X86.Kvm;
using Myna.Host.Kvm;

namespace Myna.Cpu.Tests.X86.Kvm;

/// <summary>Whether tests can use KVM here.</summary>
internal static class KvmOfHost
{
    /// <summary>Null: it can be opened.</summary>
    public static string? Problem { get; } = Open();

    /// <summary>A back end of KVM without hardware virtualization: most kernel code goes through the kernel's instruction emulator.</summary>
    public static bool IsSoftware { get; } = Problem is null && !KvmProbe.HasHardware;

    private static string? Open()
    {
        using KvmHost? host = KvmHost.TryOpen(out string reason);
        return host is null ? reason : null;
    }
}

/// <summary>A test that needs /dev/kvm, skipped with the reason where it cannot be had.</summary>
public sealed class FactIfKvmAttribute : FactAttribute
{
    public FactIfKvmAttribute() => Skip = KvmOfHost.Problem!;
}

/// <inheritdoc cref="FactIfKvmAttribute"/>
public sealed class TheoryIfKvmAttribute : TheoryAttribute
{
    public TheoryIfKvmAttribute() => Skip = KvmOfHost.Problem!;
}

/// <summary>A test of what hardware virtualization alone can do.</summary>
public sealed class TheoryIfHardwareKvmAttribute : TheoryAttribute
{
    public TheoryIfHardwareKvmAttribute() => Skip = (KvmOfHost.Problem ?? (KvmOfHost.IsSoftware ? "KVM here is software: its instruction emulator does not do these" : null))!;
}
