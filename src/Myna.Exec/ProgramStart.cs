using System.Runtime.CompilerServices;
using Myna.Host.User;

namespace Myna.Exec;

/// <summary>How this process was started.</summary>
internal static class ProgramStart
{
    /// <summary>The interpreter's name as it is registered with the kernel (binfmt_misc), which then gives it as argv[0].</summary>
    public const string KernelName = "myna-binfmt";

    /// <summary>This is the program of native code, not a guest of the .NET runtime's.</summary>
    public static bool IsNative => !RuntimeFeature.IsDynamicCodeSupported;

    /// <summary>argv, a char per byte.</summary>
    public static List<string> Arguments { get; } = InitialStrings.Arguments();

    /// <summary>The kernel was told to execute a foreign program, and has started this one: its words are path, argv[0], arguments.</summary>
    public static bool IsByKernel => IsNative && Arguments.Count > 2 && Path.GetFileName(Arguments[0]) == KernelName;
}
