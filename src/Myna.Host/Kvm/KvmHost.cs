using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

/// <summary>The kernel's hypervisor (Linux, Documentation/virt/kvm/api.rst).</summary>
public sealed unsafe class KvmHost : KvmDescriptor
{
    public const string Path = "/dev/kvm";

    /// <summary>The only version there has ever been.</summary>
    private const int ApiVersion = 12;
    private const int O_RDWR = 2;
    private const int MaximumEntries = 1024;

    private readonly KvmWithheld? _withheld;

    private KvmHost(int descriptor, KvmWithheld? withheld) : base(descriptor) => _withheld = withheld;

    /// <summary>Opens /dev/kvm.</summary>
    /// <param name="reason">Why it cannot be had, and what to do about it, for the user.</param>
    /// <returns>Null: it cannot be had.</returns>
    public static KvmHost? TryOpen(out string reason) => TryOpen(Path, null, out reason);

    /// <summary>Opens a device of KVM's.</summary>
    /// <param name="withheld">What it shall seem to lack.</param>
    /// <inheritdoc cref="TryOpen(out string)"/>
    public static KvmHost? TryOpen(string path, KvmWithheld? withheld, out string reason)
    {
        reason = "";
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            reason = "KVM is used on Linux on x86-64 alone";
            return null;
        }
        int descriptor = Libc.open(path, O_RDWR | Libc.O_CLOEXEC);
        if (descriptor < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            reason = error switch
            {
                EACCES or 1 => KvmPermission.Explain(path),
                2 => $"there is no {path}: load the module kvm_intel or kvm_amd, and switch virtualization on in the firmware's setup",
                ENXIO or 19 => $"{path} has no driver: load the module kvm_intel or kvm_amd",
                _ => $"{path} cannot be opened: {Marshal.GetPInvokeErrorMessage(error)}",
            };
            return null;
        }
        var host = new KvmHost(descriptor, withheld);
        int version = host.Call(KvmIoctl.GET_API_VERSION);
        if (version == ApiVersion)
            return host;
        host.Dispose();
        reason = version < 0 ? $"{path} is not KVM's: {Marshal.GetPInvokeErrorMessage(-version)}" : $"{path} has version {version} of the interface, not {ApiVersion}";
        return null;
    }

    /// <summary>0: the kernel lacks it; otherwise 1 or the capability's own number.</summary>
    public int Check(KvmCapability capability) => _withheld?.Lacks(capability) == true ? 0 : Math.Max(0, Call(KvmIoctl.CHECK_EXTENSION, (nint)capability));

    /// <summary>What CPUID may say in guests.</summary>
    public KvmCpuidEntry[] SupportedCpuid()
    {
        for (int count = 128; ; count *= 2)
        {
            KvmCpuidEntry[]? entries = TryGetCpuid(count, out int error);
            if (entries is not null)
                return entries;
            if (error != E2BIG || count > MaximumEntries)
                _ = Check(-error, "cannot ask for supported CPUID leaves");
        }
    }

    private KvmCpuidEntry[]? TryGetCpuid(int count, out int error)
    {
        using var block = new NativeBlock(8 + count * sizeof(KvmCpuidEntry));
        block.At<int>() = count;
        int result = Call(KvmIoctl.GET_SUPPORTED_CPUID, block.Address);
        error = -result;
        return result < 0 ? null : block.Span<KvmCpuidEntry>(8, Math.Clamp(block.At<int>(), 0, count)).ToArray();
    }

    /// <summary>MSRs that belong to a guest's state.</summary>
    public uint[] MsrIndices() => IndexList(KvmIoctl.GET_MSR_INDEX_LIST);

    /// <summary>MSRs that describe the host's features.</summary>
    public uint[] FeatureMsrIndices() => IndexList(KvmIoctl.GET_MSR_FEATURE_INDEX_LIST);

    /// <summary>What the host has in one of <see cref="FeatureMsrIndices"/>.</summary>
    /// <returns>False: the kernel lists it and cannot tell, as back ends without VMX and SVM do for some.</returns>
    public bool TryReadFeatureMsr(uint index, out ulong value)
    {
        using var block = new NativeBlock(8 + sizeof(KvmMsr));
        block.At<int>() = 1;
        block.At<KvmMsr>(8).Index = index;
        bool read = Check(KvmCapability.GET_MSR_FEATURES) != 0 && Call(KvmIoctl.GET_MSRS, block.Address) == 1;
        value = read ? block.At<KvmMsr>(8).Value : 0;
        return read;
    }

    private uint[] IndexList(uint request)
    {
        using var block = new NativeBlock(4 + 4 * MaximumEntries);
        block.At<int>() = MaximumEntries;
        _ = Check(Call(request, block.Address), "cannot list MSRs");
        return block.Span<uint>(4, Math.Clamp(block.At<int>(), 0, MaximumEntries)).ToArray();
    }

    /// <summary>A new virtual machine without memory and CPUs.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public KvmVm CreateVm()
    {
        int result;
        do
            result = Call(KvmIoctl.CREATE_VM);
        while (result == -EINTR);
        return new KvmVm(Check(result, "cannot create a virtual machine"), Check(Call(KvmIoctl.GET_VCPU_MMAP_SIZE), "the size of kvm_run is unknown"), _withheld);
    }
}
